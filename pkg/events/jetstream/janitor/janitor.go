// Package janitor keeps what no worker would ever work on: commands for providers that no worker serves, and messages that
// the broker gave up.
package janitor

import (
	"log/slog"
	"time"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
)

// Janitor cleans up for all processes; any number of them may run.
type Janitor struct {
	broker *broker.Client
	cfg    jetstream.Config
	log    *slog.Logger
	now    func() time.Time
	lain   map[uint64]bool // sequences that the last RescueUndelivered found
}

// New returns a janitor that works until conn is closed.
func New(conn *jetstream.Conn) *Janitor {
	b := conn.Broker()
	return &Janitor{broker: b, cfg: conn.Config(), log: b.Log, now: b.Now}
}
