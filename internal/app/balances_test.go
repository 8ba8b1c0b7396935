package app

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

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// account is a provider that tells a balance, or fails.
type account struct {
	mute
	mu    sync.Mutex
	asked int
	fails int // so often at first
	every int // and then at each that it divides; 0 is none
	takes time.Duration
}

func (a *account) Balance(context.Context) ([]connectors.Balance, error) {
	time.Sleep(a.takes)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked++; a.asked <= a.fails || a.every > 0 && a.asked%a.every == 0 {
		return nil, errors.New("no answer")
	}
	return []connectors.Balance{{Currency: "KRW", Available: payment.KRW(int64(a.asked)), Frozen: payment.KRW(0)}}, nil
}

// memory is a stream of balances.
type memory struct {
	mu    sync.Mutex
	all   []events.BalanceReport
	stale int
	down  bool
}

func (m *memory) LastBalance(context.Context, string) (events.BalanceReport, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return events.BalanceReport{}, 0, errors.New("no stream")
	}
	if len(m.all) == 0 {
		return events.BalanceReport{}, 0, nil
	}
	return m.all[len(m.all)-1], uint64(len(m.all)), nil
}

func (m *memory) AppendBalance(_ context.Context, r events.BalanceReport, after uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if after != uint64(len(m.all)) {
		m.stale++
		return events.ErrStale
	}
	m.all = append(m.all, r)
	return nil
}

// reporting runs so many workers for a time and returns what they logged.
func reporting(t *testing.T, m *memory, a *account, workers int, interval, span time.Duration) string {
	t.Helper()
	var logs bytes.Buffer
	var mu sync.Mutex
	logger := slog.New(slog.NewTextHandler(lockedWriter{&mu, &logs}, nil))
	registry := connectors.NewRegistry(map[string]connectors.Connector{"acme": a, "mute": mute{}, "silent": a})
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			balances{log: m, now: time.Now, logger: logger, interval: func(provider string) time.Duration {
				return map[string]time.Duration{"acme": interval, "mute": interval}[provider]
			}}.run(ctx, registry)
		})
	}
	all.Wait()
	return logs.String()
}

type lockedWriter struct {
	mu *sync.Mutex
	to *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.to.Write(p)
}

// One worker after the other, and many at once, publish one balance in each interval, and a restart asks no sooner.
func TestBalancesArePublishedOnceAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, a := &memory{}, &account{takes: time.Second}
		for range 4 { // restarts
			if logs := reporting(t, m, a, 5, time.Hour, 6*time.Hour); logs != "" {
				t.Errorf("logged %s", logs)
			}
		}
		if n := len(m.all); n < 21 || n > 25 { // of 24 hours, with a spread of a tenth
			t.Errorf("%d balances in 24 hours", n)
		}
		for i, r := range m.all {
			if r.Provider != "acme" || len(r.Balances) != 1 || r.Balances[0].Available.Currency != "KRW" {
				t.Errorf("published %+v", r)
			}
			if i > 0 && r.ReportedAt.Sub(m.all[i-1].ReportedAt) < time.Hour {
				t.Errorf("%s after the one before", r.ReportedAt.Sub(m.all[i-1].ReportedAt))
			}
		}
		if a.asked > 2*len(m.all) {
			t.Errorf("the provider was asked %d times for %d balances", a.asked, len(m.all))
		}
	})
}

// A provider that does not answer is asked again after a minute and then later, a broker each minute.
func TestBalancesAreAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, a := &memory{}, &account{fails: 3}
		logs := reporting(t, m, a, 1, time.Hour, 9*time.Minute+time.Second)
		if len(m.all) != 1 || a.asked != 4 || strings.Count(logs, "cannot read the provider's balance") != 3 || !strings.Contains(logs, "provider=acme") {
			t.Errorf("%d balances of %d requests: %s", len(m.all), a.asked, logs)
		}
		m.down = true
		if logs := reporting(t, m, a, 1, time.Hour, 9*time.Minute+time.Second); a.asked != 4 || strings.Count(logs, "cannot read the last balance") != 10 {
			t.Errorf("the provider was asked %d times: %s", a.asked, logs)
		}
	})
}

// A provider that fails is asked at growing pauses, up to the interval, which begin again after a balance.
func TestBalancesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, a := &memory{}, &account{fails: 1_000_000}
		reporting(t, m, a, 1, time.Hour, 24*time.Hour)
		if a.asked < 26 || a.asked > 30 { // 1, 2, 4, 8, 16, 32 minutes and then hours, with a spread of a tenth
			t.Errorf("asked %d times in a day", a.asked)
		}
		a.fails = a.asked + 5
		reporting(t, m, a, 1, 7*24*time.Hour, 365*24*time.Hour) // no interval is longer
		if n := len(m.all); n < 47 || n > 53 {
			t.Errorf("%d balances in a year", n)
		}
		m.all, a.asked, a.fails, a.every = nil, 0, 0, 2 // each second request fails
		reporting(t, m, a, 1, time.Hour, 24*time.Hour)
		if n := len(m.all); n < 21 || n > 24 {
			t.Errorf("%d balances in a day, with as many failures", n)
		}
	})
}

// A balance that was reported in the future keeps a provider silent for one interval, not until then, and is logged once.
func TestBalanceOfTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for ahead, logged := range map[time.Duration]int{30 * time.Second: 0, 365 * 24 * time.Hour: 1} {
			want := 4 - logged // a restart sees it again
			m, a := &memory{all: []events.BalanceReport{{Provider: "acme", ReportedAt: time.Now().Add(ahead)}}}, &account{}
			reporting(t, m, a, 1, time.Hour, 59*time.Minute)
			if a.asked != 0 {
				t.Errorf("%s ahead: asked within the interval", ahead)
			}
			logs := reporting(t, m, a, 1, time.Hour, 3*time.Hour)
			if n := len(m.all); n != want {
				t.Errorf("%s ahead: %d balances after 4 h, want %d", ahead, n, want)
			}
			if n := strings.Count(logs, "the last balance was reported in the future"); n != logged {
				t.Errorf("%s ahead: logged %d times: %s", ahead, n, logs)
			}
		}
	})
}
