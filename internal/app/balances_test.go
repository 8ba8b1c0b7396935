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
	takes time.Duration
}

func (a *account) Balance(context.Context) ([]connectors.Balance, error) {
	time.Sleep(a.takes)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked++; a.asked <= a.fails {
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

// A provider or a broker that does not answer is asked again after a minute.
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
