package jetstream_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

func balanceOf(provider string, won int64, at time.Time) events.BalanceReport {
	return events.BalanceReport{Provider: provider, ReportedAt: at, Balances: []events.ReportedBalance{{Available: payment.KRW(won), Frozen: payment.KRW(0)}}}
}

// Of workers that asked at the same time one balance is kept, and each provider has its own last one.
func TestOneBalanceIsKept(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	at := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	if last, seq, err := c.LastBalance(testContext(t), "acme"); err != nil || seq != 0 || !last.ReportedAt.IsZero() {
		t.Fatalf("before: %+v, %d, %v", last, seq, err)
	}
	var kept, stale atomic.Int32
	var workers sync.WaitGroup
	for i := range 8 {
		workers.Go(func() {
			switch err := c.AppendBalance(testContext(t), balanceOf("acme", int64(i), at), 0); {
			case err == nil:
				kept.Add(1)
			case errors.Is(err, events.ErrStale):
				stale.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if kept.Load() != 1 || stale.Load() != 7 || messages(t, js, events.StreamBalances) != 1 {
		t.Errorf("%d were kept, %d were too late, %d are there", kept.Load(), stale.Load(), messages(t, js, events.StreamBalances))
	}
	if err := c.AppendBalance(testContext(t), balanceOf("other", 5, at), 0); err != nil {
		t.Errorf("of another provider: %v", err)
	}
	_, seq, err := c.LastBalance(testContext(t), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AppendBalance(testContext(t), balanceOf("acme", 77, at.Add(time.Hour)), seq); err != nil {
		t.Fatal(err)
	}
	last, _, err := c.LastBalance(testContext(t), "acme")
	if err != nil || last.Balances[0].Available != payment.KRW(77) || !last.ReportedAt.Equal(at.Add(time.Hour)) {
		t.Errorf("%+v, %v", last, err)
	}
	if err := c.AppendBalance(testContext(t), balanceOf("acme", 78, at), seq); !errors.Is(err, events.ErrStale) {
		t.Errorf("after the one before: %v", err)
	}
}
