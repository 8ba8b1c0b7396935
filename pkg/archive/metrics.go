package archive

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
)

// The metrics of an [Archiver].
const (
	MetricLag        = "payonce.archive.lag"         // events that the log has and the archive has not read yet
	MetricEvents     = "payonce.archive.events"      // events that were stored
	MetricUnreadable = "payonce.archive.undecodable" // of these, events that cannot be read
	MetricForgotten  = "payonce.archive.forgotten"   // events that the log forgot before they were archived
	MetricFailures   = "payonce.archive.failures"    // attempts to read the log or to write the database that failed
	MetricDatabase   = "payonce.archive.database"    // 1 while the database can be read and written, else 0
)

type metrics struct {
	stored, unreadable, failures metric.Int64Counter
	forget                       func()

	mu            sync.Mutex
	known         bool
	end, at, gone uint64
	tried, broken bool // the database
}

func newMetrics() (*metrics, error) {
	m := &metrics{}
	meter := otel.Meter("payonce/archive")
	var err error
	if m.stored, err = meter.Int64Counter(MetricEvents); err != nil {
		return nil, err
	}
	if m.unreadable, err = meter.Int64Counter(MetricUnreadable); err != nil {
		return nil, err
	}
	if m.failures, err = meter.Int64Counter(MetricFailures); err != nil {
		return nil, err
	}
	lag, err := meter.Int64ObservableGauge(MetricLag)
	if err != nil {
		return nil, err
	}
	forgotten, err := meter.Int64ObservableGauge(MetricForgotten)
	if err != nil {
		return nil, err
	}
	database, err := meter.Int64ObservableGauge(MetricDatabase)
	if err != nil {
		return nil, err
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.known {
			o.ObserveInt64(lag, int64(m.end-min(m.at, m.end)))
			o.ObserveInt64(forgotten, int64(m.gone))
		}
		switch {
		case m.broken:
			o.ObserveInt64(database, 0)
		case m.tried:
			o.ObserveInt64(database, 1)
		}
		return nil
	}, lag, forgotten, database)
	if err != nil {
		return nil, err
	}
	m.forget = func() { _ = registration.Unregister() } // it can't fail
	return m, nil
}

func (m *metrics) close() { m.forget() }

// database notes whether the database could be used, and returns the error. An end that was asked for says nothing of it.
func (m *metrics) database(ctx context.Context, err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil || ctx.Err() == nil {
		m.tried, m.broken = true, err != nil
	}
	return err
}

// ends notes where the log ends.
func (m *metrics) ends(sequence uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.end = true, sequence
}

// reached notes how far the archive has read.
func (m *metrics) reached(sequence uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at = max(m.at, sequence)
}

// lost notes how many events the log forgot before they were archived.
func (m *metrics) lost(n uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gone = n
}
