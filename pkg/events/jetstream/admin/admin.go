// Package admin is what operators and administrators do with NATS: make and compare streams, keep and check the audit, list and
// replay dead letters, release parked commands, erase personal data.
package admin

import (
	"log/slog"
	"time"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
)

// Conn is the connection of an operator or an administrator: the log and the queue, and what only they do. All methods are
// safe for concurrent use.
type Conn struct {
	*jetstream.Conn
	broker *broker.Client
	cfg    jetstream.Config
	log    *slog.Logger
	now    func() time.Time
}

// New returns conn with what operators and administrators do. To close either closes both.
func New(conn *jetstream.Conn) *Conn {
	b := conn.Broker()
	return &Conn{Conn: conn, broker: b, cfg: conn.Config(), log: b.Log, now: b.Now}
}
