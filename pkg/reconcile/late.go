package reconcile

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/events"
)

// MetricLookupsLate is by how many seconds the look-ups of one step of a provider's schedule are late, by provider
// and step; 0 when they are on time.
const MetricLookupsLate = "payonce.lookups.late"

// lateFor is how long what a process saw of a timer says something. An event that is put off comes again within
// recheck, so a process sees a stalled timer's event more often.
const lateFor = recheck + time.Minute

// progress is how far a timer has come, as this process sees it. All readers of a timer share its events, so each
// sees the newest ones now and then.
type progress struct {
	mu      sync.Mutex
	at      time.Time // of the last delivery
	last    uint64    // that delivery
	newest  uint64    // sequence of the newest event that was delivered here
	stored  time.Time // of that event
	due     time.Time // of that event
	waiting bool      // events wait behind those that were delivered
}

// note takes a delivery down. An event that is never due here does not make a timer late.
func (p *progress) note(m events.Message, due time.Time, ever bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	// Handlers of deliveries shortly after each other begin in any order. A consumer that was made again counts from one.
	if m.Delivered >= p.last || now.Sub(p.at) > time.Minute {
		p.at, p.last, p.waiting = now, m.Delivered, m.Pending > 0
	}
	if m.Sequence < p.newest {
		return
	}
	if p.newest, p.stored, p.due = m.Sequence, m.StoredAt, due; !ever {
		p.due = now.Add(lateFor)
	}
}

// late is for how long the newest event has been due while others wait behind it, which are younger and may be due,
// too: 0 when none wait, or when it has time left and they have more.
func (p *progress) late(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting || p.at.IsZero() || now.Sub(p.at) > lateFor {
		return 0
	}
	return max(now.Sub(p.due), 0)
}

// holdsUp reports whether events wait behind the newest one that may be due, whether that one is or not: its operation can
// be closed for long. None is due before it is as old as the step.
func (p *progress) holdsUp(now time.Time, step time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting && !now.Before(p.stored.Add(step))
}

// watch gives the timers' lateness as a metric until the returned function is called.
func watch(timers []*timer) (end func() error, err error) {
	meter := otel.Meter("payonce/reconcile")
	late, err := meter.Float64ObservableGauge(MetricLookupsLate, metric.WithUnit("s"))
	if err != nil {
		return nil, fmt.Errorf("make the gauge: %w", err)
	}
	registered, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		for _, t := range timers {
			o.ObserveFloat64(late, t.progress.late(t.now()).Seconds(), metric.WithAttributes(
				attribute.String("provider", t.provider.Name), attribute.String("step", t.step.name)))
		}
		return nil
	}, late)
	if err != nil {
		return nil, fmt.Errorf("register the gauge: %w", err)
	}
	return registered.Unregister, nil
}
