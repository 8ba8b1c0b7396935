package limits

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// MetricIntakeDelayed counts, by upstream, the seconds for which messages waited because of its quota.
const MetricIntakeDelayed = "payonce.intake.delayed"

// Quota is what all workers together take out of one upstream's stream, on average; as much as it allows for a second is
// taken at once. Both numbers are more than 0.
type Quota struct {
	MessagesPerSecond int
	BytesPerSecond    int
}

// rate is the pace for messages of this size: each takes the time that the quota has for it.
func (q Quota) rate(size int) Rate {
	each := max(time.Second/time.Duration(q.MessagesPerSecond), time.Duration(size)*time.Second/time.Duration(q.BytesPerSecond), time.Microsecond)
	each = min(each, maxEach)
	return Rate{Calls: 1, Per: each, Burst: max(1, int(time.Second/each))}
}

// maxEach is the longest time that one message takes of its quota. The shared budget reaches no further ahead than an hour.
const maxEach = 30 * time.Minute

// quotaTimeout is how far ahead the budget of an upstream is reserved. Who would have to wait for longer asks again.
const quotaTimeout = 10 * time.Second

// Quotas hold upstreams to their quotas. What is too much waits in the upstream's own stream, which has a limit: beyond it
// the broker refuses what the upstream publishes. They are safe for concurrent use.
type Quotas struct {
	of        map[string]Quota
	own       map[string]*pace
	shared    Budget
	now       func() time.Time
	wait      func(ctx context.Context, d time.Duration) error
	log       *slog.Logger
	downUntil atomic.Int64
	delayed   metric.Float64Counter
}

// NewQuotas returns quotas by upstream. An upstream without one is not held. While the shared budget cannot be asked each
// worker has the whole quota for itself; nil is that always.
func NewQuotas(of map[string]Quota, shared Budget, now func() time.Time, logger *slog.Logger) (*Quotas, error) {
	q := &Quotas{of: of, own: map[string]*pace{}, shared: shared, now: now, wait: sleep, log: logger}
	var problems []error
	for name, quota := range of {
		if quota.MessagesPerSecond < 1 || quota.BytesPerSecond < 1 {
			problems = append(problems, fmt.Errorf("quota of %s: both numbers must be positive", name))
		}
		q.own[name] = &pace{}
	}
	var err error
	q.delayed, err = otel.Meter("payonce/limits").Float64Counter(MetricIntakeDelayed, metric.WithUnit("s"))
	if err := errors.Join(append(problems, err)...); err != nil {
		return nil, err
	}
	for name := range of { // shown from the start, as nothing
		q.delayed.Add(context.Background(), 0, metric.WithAttributes(attribute.String("upstream", name)))
	}
	return q, nil
}

// Wait returns when a message of an upstream with this many bytes may be worked, or with an error when ctx ends.
func (q *Quotas) Wait(ctx context.Context, upstream string, size int) error {
	quota, limited := q.of[upstream]
	if !limited {
		return nil
	}
	began := q.now()
	for {
		wait, ok := q.reserve(ctx, upstream, quota.rate(size))
		if wait > 0 {
			if err := q.wait(ctx, min(wait, quotaTimeout)); err != nil {
				return err
			}
		}
		if ok {
			if waited := q.now().Sub(began); waited > time.Millisecond {
				q.delayed.Add(ctx, waited.Seconds(), metric.WithAttributes(attribute.String("upstream", upstream)))
			}
			return nil
		}
	}
}

func (q *Quotas) reserve(ctx context.Context, upstream string, r Rate) (wait time.Duration, ok bool) {
	down := q.downUntil.Load() - q.now().UnixNano()
	if q.shared != nil && (down <= 0 || down > sharedPause.Nanoseconds()) { // further away: the clock was set back
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedTimeout)
		wait, ok, err := q.shared.Reserve(asking, "intake/"+upstream, r, quotaTimeout) // no provider has this name
		cancel()
		if err == nil {
			if q.downUntil.Load() != 0 && q.downUntil.Swap(0) != 0 {
				q.log.InfoContext(ctx, "shared quotas available again")
			}
			return wait, ok
		}
		if was := q.downUntil.Swap(q.now().Add(sharedPause).UnixNano()); was == 0 { // once for each outage
			q.log.WarnContext(ctx, "shared quotas of upstreams unavailable: each worker applies the whole quota", "upstream", upstream, "error", err)
		}
	}
	return q.own[upstream].reserve(q.now(), r, quotaTimeout)
}

// pace is one worker's own budget, as reserve.lua keeps it in Redis: the time when it is whole again.
type pace struct {
	mu    sync.Mutex
	whole time.Time
}

func (p *pace) reserve(now time.Time, r Rate, timeout time.Duration) (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	whole := p.whole
	if whole.Before(now) {
		whole = now
	}
	whole = whole.Add(r.Interval())
	wait = max(whole.Sub(now)-time.Duration(r.Burst)*r.Interval(), 0)
	if wait > timeout {
		return wait, false
	}
	p.whole = whole
	return wait, true
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
