package worker_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

func TestTimingNamesEveryProblem(t *testing.T) {
	if err := worker.DefaultTiming().Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
	text := fmt.Sprint(worker.Timing{}.Validate())
	for _, name := range []string{
		"submit_timeout", "retry_for", "retry_initial", "lease", "lookup_min", "lookup_max", "park_min", "park_max",
		"retention", "unknown_order_for",
	} {
		if !strings.Contains(text, name+": must be positive") {
			t.Errorf("%s is missing in %s", name, text)
		}
	}
	for want, edit := range map[string]func(*worker.Timing){
		"lease: 35s must be more":      func(t *worker.Timing) { t.Lease = 35 * time.Second },
		"lookup_min: must not":         func(t *worker.Timing) { t.LookupMin = time.Hour },
		"park_min: must not":           func(t *worker.Timing) { t.ParkMin = time.Hour },
		"clock_bound: must not":        func(t *worker.Timing) { t.ClockBound = -1 },
		"resume_spread: must not":      func(t *worker.Timing) { t.ResumeSpread = -1 },
		"claim_retention: must not":    func(t *worker.Timing) { t.ClaimRetention = time.Hour },
		"retention: must be more than": func(t *worker.Timing) { t.Retention, t.ClaimRetention = t.Lease, t.Lease },
	} {
		timing := worker.DefaultTiming()
		edit(&timing)
		if err := timing.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q alone: %v", want, err)
		}
	}
}

func TestSettlingMustOutliveALease(t *testing.T) {
	timing := worker.DefaultTiming()
	least := timing.Lease + timing.SubmitTimeout + timing.ClockBound
	if err := timing.CheckSettling(least); err != nil {
		t.Error(err)
	}
	err := timing.CheckSettling(least - 1)
	if err == nil {
		t.Fatal("too short, and taken")
	}
	for _, part := range []string{"lease (40s", "submit_timeout (15s", "clock_bound (1s", "= 56s"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the sum is not explained with %q: %v", part, err)
		}
	}
}

func TestOptionsNameEveryProblem(t *testing.T) {
	inBubble(t, func(d *testbed) {
		o := d.options
		o.Timing.ParkMin = time.Hour
		hasty := newProvider()
		hasty.traits.SettlingDelay = time.Second
		p := &ports{testbed: d}
		o.Log, o.Claims = logPort{p}, claimsPort{p}
		o.Connectors = connectors.NewRegistry(map[string]connectors.Connector{"hasty": hasty, "hasty-2": hasty})
		_, err := worker.New(o)
		for _, want := range []string{"park_min", "provider hasty: settling_delay", "provider hasty-2: settling_delay"} {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%q is missing in %v", want, err)
			}
		}
		o.Log, o.Now = nil, nil
		if _, err = worker.New(o); err == nil || !strings.Contains(err.Error(), "required") {
			t.Errorf("without a log: %v", err)
		}
		o = d.options
		o.Log, o.Claims, o.Connectors = logPort{p}, claimsPort{p}, connectors.NewRegistry(nil)
		o.Logger, o.OnStep = nil, nil
		if _, err := worker.New(o); err != nil {
			t.Errorf("without a logger: %v", err)
		}
	})
}

// fakeQueue notes who consumes, and fails one of them.
type fakeQueue struct {
	mu    sync.Mutex
	asked map[string]int
	fails string
}

var errQueue = errors.New("the queue is gone")

func (q *fakeQueue) consume(ctx context.Context, name string, slots int) error {
	q.mu.Lock()
	q.asked[name] = slots
	q.mu.Unlock()
	if q.fails == name {
		return errQueue
	}
	<-ctx.Done()
	return nil
}

func (q *fakeQueue) ConsumeCommands(ctx context.Context, provider string, slots int, _ queue.Handler) error {
	return q.consume(ctx, "commands of "+provider, slots)
}

func (q *fakeQueue) ConsumeWebhooks(ctx context.Context, provider string, slots int, _ queue.Handler) error {
	return q.consume(ctx, "webhooks of "+provider, slots)
}

func (q *fakeQueue) ConsumeIntake(ctx context.Context, slots int, _ queue.Handler) error {
	return q.consume(ctx, "intake", slots)
}

func TestRunConsumesEverythingUntilItStops(t *testing.T) {
	inBubble(t, func(d *testbed) {
		ctx, stop := context.WithCancel(context.Background())
		q, ended := &fakeQueue{asked: map[string]int{}}, make(chan error, 1)
		go func() { ended <- d.start().Run(ctx, q, func(provider string) int { return len(provider) }) }()
		synctest.Wait()
		want := map[string]int{
			"commands of acme-kr": 7, "webhooks of acme-kr": 7, "commands of silent": 6, "webhooks of silent": 6, "intake": 16,
		}
		if fmt.Sprint(q.asked) != fmt.Sprint(want) {
			t.Errorf("consumes %v, want %v", q.asked, want)
		}
		if len(ended) != 0 {
			t.Error("ended before it was stopped")
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		for name := range want {
			q := &fakeQueue{asked: map[string]int{}, fails: name}
			err := d.start().Run(context.Background(), q, func(string) int { return 1 })
			if !errors.Is(err, errQueue) || !strings.HasPrefix(err.Error(), name+": ") {
				t.Errorf("%s fails: %v", name, err)
			}
		}
	})
}
