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
)

type metrics struct {
	stored, unreadable, failures metric.Int64Counter
	forget                       func()

	mu            sync.Mutex
	known         bool
	end, at, gone uint64
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
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.known {
			o.ObserveInt64(lag, int64(m.end-min(m.at, m.end)))
			o.ObserveInt64(forgotten, int64(m.gone))
		}
		return nil
	}, lag, forgotten)
	if err != nil {
		return nil, err
	}
	m.forget = func() { _ = registration.Unregister() } // it can't fail
	return m, nil
}

func (m *metrics) close() { m.forget() }

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
