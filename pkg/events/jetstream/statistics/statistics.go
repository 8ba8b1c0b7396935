// Package statistics gives as metrics what a process did with NATS, and how full the queue of the whole system is.
package statistics

import (
	"log/slog"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
)

// Reporter reports the metrics of one connection.
type Reporter struct {
	conn   *jetstream.Conn
	broker *broker.Client
	cfg    jetstream.Config
	log    *slog.Logger
	now    func() time.Time
	meters metric.MeterProvider
	// providers are counted also where they have nothing, and others as unknown; with none of these, all are counted by name.
	providers atomic.Pointer[[]string]
	progress  progress
}

// New reports the counters of conn, until it is closed, to meters; nil takes the global ones.
func New(conn *jetstream.Conn, meters metric.MeterProvider) (*Reporter, error) {
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	b := conn.Broker()
	r := &Reporter{conn: conn, broker: b, cfg: conn.Config(), log: b.Log, now: b.Now, meters: meters}
	r.providers.Store(&[]string{})
	return r, r.register()
}
