package limits_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/limits"
)

var ten = limits.Policy{Rate: limits.Rate{Calls: 10, Per: time.Second, Burst: 2}}

// shared is a budget with scripted answers.
type shared struct {
	mu    sync.Mutex
	wait  time.Duration
	err   error
	asked int
}

func (s *shared) Reserve(_ context.Context, name string, r limits.Rate, timeout time.Duration) (time.Duration, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if name != acme || r != ten.Rate {
		return 0, false, errors.New("asked for something else")
	}
	return s.wait, s.wait <= timeout, s.err
}

func reserve(t *testing.T, l *limits.Limits, timeout time.Duration) (time.Duration, bool) {
	t.Helper()
	return l.Reserve(t.Context(), acme, timeout)
}

func TestTheLocalBudgetIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := open(t, ten)
		for i, want := range []time.Duration{0, 0, 100, 200, 300} {
			if wait, ok := reserve(t, l, time.Minute); !ok || wait != want*time.Millisecond {
				t.Errorf("call %d waits %s, %t", i, wait, ok)
			}
		}
		for range 3 { // a refusal takes nothing
			if wait, ok := reserve(t, l, 399*time.Millisecond); ok || wait != 400*time.Millisecond {
				t.Errorf("waits %s, %t", wait, ok)
			}
		}
		time.Sleep(time.Hour) // what was not used is not kept
		for i, want := range []time.Duration{0, 0, 100} {
			if wait, ok := reserve(t, l, time.Minute); !ok || wait != want*time.Millisecond {
				t.Errorf("after a pause, call %d waits %s, %t", i, wait, ok)
			}
		}
		if wait, ok := l.Reserve(t.Context(), "other", 0); wait != 0 || !ok {
			t.Error("a provider without a rate waits")
		}
	})
}

func TestTheSharedBudgetDecidesWhileItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := &shared{wait: 7 * time.Second}
		l, logs := open(t, ten, func(o *limits.Options) { o.Shared = budget })
		for range 5 {
			if wait, ok := reserve(t, l, time.Minute); !ok || wait != 7*time.Second {
				t.Errorf("waits %s, %t", wait, ok)
			}
			if wait, ok := reserve(t, l, time.Second); ok || wait != 7*time.Second {
				t.Errorf("waits %s, %t", wait, ok)
			}
		}
		if budget.asked != 10 || logs.Len() > 0 {
			t.Errorf("asked %d times; %s", budget.asked, logs)
		}
	})
}

func TestTheLocalBudgetTakesOverWhileTheSharedIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := &shared{err: errors.New("LOADING")}
		l, logs := open(t, ten, func(o *limits.Options) { o.Shared = budget })
		for i, want := range []time.Duration{0, 0, 100, 200} {
			if wait, ok := reserve(t, l, time.Minute); !ok || wait != want*time.Millisecond {
				t.Errorf("call %d waits %s, %t", i, wait, ok)
			}
		}
		if budget.asked != 1 {
			t.Errorf("a budget that is down was asked %d times in a moment", budget.asked)
		}
		for range 3 {
			time.Sleep(2 * time.Second)
			reserve(t, l, time.Minute)
		}
		if n := strings.Count(logs.String(), "shared rate limit unavailable"); n != 1 || budget.asked != 4 {
			t.Errorf("asked %d times, %d log lines for one outage: %s", budget.asked, n, logs)
		}
		budget.err, budget.wait = nil, 3*time.Second
		time.Sleep(2 * time.Second)
		if wait, ok := reserve(t, l, time.Minute); !ok || wait != 3*time.Second {
			t.Errorf("back again: waits %s, %t", wait, ok)
		}
		if !strings.Contains(logs.String(), "available again") {
			t.Errorf("logs: %s", logs)
		}
		budget.err = errors.New("LOADING")
		reserve(t, l, time.Minute)
		if n := strings.Count(logs.String(), "shared rate limit unavailable"); n != 2 {
			t.Errorf("%d log lines for two outages", n)
		}
	})
}

// A process that stops must not take the budget for broken.
func TestAProcessThatStopsStillAsks(t *testing.T) {
	budget := &shared{wait: time.Second}
	l, _ := open(t, ten, func(o *limits.Options) { o.Shared = askable{budget} })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if wait, ok := l.Reserve(ctx, acme, time.Minute); !ok || wait != time.Second {
		t.Errorf("waits %s, %t", wait, ok)
	}
}

// askable fails when its context has ended, as a client does.
type askable struct{ *shared }

func (a askable) Reserve(ctx context.Context, name string, r limits.Rate, timeout time.Duration) (time.Duration, bool, error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	return a.shared.Reserve(ctx, name, r, timeout)
}

// hanging is a budget that answers nothing until its asker gives up.
type hanging struct{}

func (hanging) Reserve(ctx context.Context, _ string, _ limits.Rate, _ time.Duration) (time.Duration, bool, error) {
	<-ctx.Done()
	return 0, false, ctx.Err()
}

func TestASharedBudgetThatHangsIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := open(t, ten, func(o *limits.Options) { o.Shared = hanging{} })
		began := time.Now()
		if wait, ok := reserve(t, l, time.Minute); !ok || wait != 0 || time.Since(began) != 2*time.Second {
			t.Errorf("after %s: waits %s, %t", time.Since(began), wait, ok)
		}
	})
}

// The clock is set back while the shared budget is down, or the breaker open.
func TestAClockSetBackPutsNothingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget, ahead := &shared{err: errors.New("LOADING")}, time.Hour
		l, _ := open(t, limits.Policy{Rate: ten.Rate, Breaker: config}, func(o *limits.Options) {
			o.Shared, o.Now = budget, func() time.Time { return time.Now().Add(ahead) }
		})
		reserve(t, l, time.Minute)
		for range config.Failures {
			call(l, unreached)
		}
		ahead = 0
		budget.err, budget.wait = nil, 3*time.Second
		if wait, _ := reserve(t, l, time.Minute); wait != 3*time.Second {
			t.Errorf("the shared budget is not asked for an hour: waits %s", wait)
		}
		if _, again, ok := l.Enter(t.Context(), acme); ok || time.Until(again) > config.OpenFor+time.Second {
			t.Errorf("again in %s, %t", time.Until(again), ok)
		}
	})
}
