package limits_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/limits"
)

func quotas(t *testing.T, shared limits.Budget, of map[string]limits.Quota) *limits.Quotas {
	t.Helper()
	q, err := limits.NewQuotas(of, shared, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Over ten seconds an upstream gets its messages or its bytes, whichever is less, and a second's worth at once.
func TestQuota(t *testing.T) {
	for name, c := range map[string]struct {
		size, want int
	}{
		"small messages": {10, 50}, "just as many bytes": {1000, 50}, "large messages": {5000, 10}, "one larger than a second's": {100_000, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := quotas(t, nil, map[string]limits.Quota{"shop": {MessagesPerSecond: 50, BytesPerSecond: 50_000}, "game": {MessagesPerSecond: 1, BytesPerSecond: 1}})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				passed, atOnce := 0, 0
				begin := time.Now()
				var mu sync.Mutex
				var group sync.WaitGroup
				for range 16 { // the slots of a worker
					group.Go(func() {
						for q.Wait(ctx, "shop", c.size) == nil {
							mu.Lock()
							if passed++; time.Since(begin) == 0 {
								atOnce++
							}
							mu.Unlock()
						}
					})
				}
				synctest.Wait()
				if err := q.Wait(ctx, "nobody", 1<<30); err != nil || time.Since(begin) != 0 {
					t.Errorf("an upstream without a quota waited: %v", err)
				}
				group.Wait()
				if want := c.want * 11; c.want > 0 && (passed < want-c.want/5-1 || passed > want+1) || c.want == 0 && passed != 5+1 {
					t.Errorf("%d in ten seconds, want %d", passed, want)
				}
				if atOnce > max(c.want, 1) {
					t.Errorf("%d at once, want %d", atOnce, c.want)
				}
			})
		})
	}
}

// budget is a shared one that answers, or fails.
type budget struct {
	err   error
	names []string
}

func (b *budget) Reserve(_ context.Context, name string, _ limits.Rate, _ time.Duration) (time.Duration, bool, error) {
	b.names = append(b.names, name)
	return 0, true, b.err
}

// The budget is that of all workers. Without it a worker holds the upstream to the quota by itself, and asks again later.
func TestQuotaIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &budget{}
		q := quotas(t, shared, map[string]limits.Quota{"shop": {MessagesPerSecond: 1, BytesPerSecond: 1000}})
		wait := func(want time.Duration) {
			t.Helper()
			begin := time.Now()
			if err := q.Wait(t.Context(), "shop", 10); err != nil || time.Since(begin) != want {
				t.Errorf("waited %s, want %s: %v", time.Since(begin), want, err)
			}
		}
		wait(0)
		wait(0)
		if len(shared.names) != 2 || shared.names[0] == "shop" {
			t.Errorf("asked for %v: a provider may have the upstream's name", shared.names)
		}
		shared.err = errors.New("down")
		wait(0)
		asked := len(shared.names)
		wait(time.Second)
		if len(shared.names) > asked {
			t.Error("a budget that is down was asked for each message")
		}
		shared.err = nil
		wait(0)
	})
}

func TestQuotaOfNothing(t *testing.T) {
	for _, q := range []limits.Quota{{}, {MessagesPerSecond: 1}, {BytesPerSecond: 1}, {MessagesPerSecond: -1, BytesPerSecond: 1}} {
		if _, err := limits.NewQuotas(map[string]limits.Quota{"shop": q}, nil, time.Now, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%+v was taken", q)
		}
	}
}

// flaky is a shared budget that fails while down is true.
type flaky struct{ down bool }

func (f *flaky) Reserve(context.Context, string, limits.Rate, time.Duration) (time.Duration, bool, error) {
	if f.down {
		return 0, false, errors.New("no route to Redis")
	}
	return 0, true, nil
}

// An outage of the shared quotas is told once, and so is its end.
func TestSharedQuotasDownAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		shared := &flaky{}
		q, err := limits.NewQuotas(map[string]limits.Quota{"shop": {MessagesPerSecond: 50, BytesPerSecond: 50_000}}, shared, time.Now, slog.New(slog.NewTextHandler(&lines, nil)))
		if err != nil {
			t.Fatal(err)
		}
		for _, shared.down = range []bool{true, true, true, false, false, true, false} {
			if err := q.Wait(t.Context(), "shop", 10); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		for line, want := range map[string]int{"shared quotas of upstreams unavailable": 2, "shared quotas available again": 2} {
			if got := strings.Count(lines.String(), line); got != want {
				t.Errorf("%q was said %d times, want %d:\n%s", line, got, want, lines.String())
			}
		}
	})
}
