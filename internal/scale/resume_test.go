//go:build measure

package scale_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

var (
	parked  = flag.Int("parked", 50_000, "payouts that are parked")
	spread  = flag.Duration("spread", 5*time.Minute, "they resume over so long after the opening")
	parking = flag.Duration("parking", 5*time.Minute, "how long after the start the provider opens")
	workers = flag.Int("workers", 4, "worker processes")
)

// TestMeasureResume parks payouts before an opening and compares, after it, each payout's time in the log with the
// moment at which the provider was asked.
func TestMeasureResume(t *testing.T) {
	opens := time.Now().UTC().Add(*parking).Truncate(time.Second)
	s := start(t, build(t), fmt.Sprintf("  resume_spread: %s", *spread),
		fmt.Sprintf("    hours: {zone: UTC, days: mon-sun, hours: \"%s-23:59:59\"}", opens.Format(time.TimeOnly)))
	for range *workers {
		s.work()
	}
	began := time.Now()
	s.each(*parked, "W", s.publish)
	s.until("all are parked", func() bool { return s.parkedNow() == *parked })
	if paid, _, _ := s.provider.counts(); paid > 0 || time.Now().After(opens) {
		t.Fatalf("parked too late: %d were paid; -parking must be longer", paid)
	}
	t.Logf("%d parked in %s", *parked, time.Since(began).Round(time.Second))
	due := s.resumeTimes()
	s.until("all are paid", func() bool { paid, _, _ := s.provider.counts(); return paid == *parked })
	var late []time.Duration
	for order, at := range due {
		late = append(late, s.provider.at(order).Sub(at))
	}
	moments := s.provider.moments()
	slices.SortFunc(moments, time.Time.Compare)
	_, twice, _ := s.provider.counts()
	length := moments[len(moments)-1].Sub(opens)
	t.Logf("%d of %d paid, %d twice, in %s for %s: %.2f of the rate of the spread (%.0f a second); earliest %s, late p50 %s p99 %s most %s; most in a second %d, the spread has %.0f",
		len(moments), *parked, twice, length.Round(time.Second), *spread, spread.Seconds()/length.Seconds(), float64(*parked)/length.Seconds(),
		at(late, 0).Round(time.Millisecond), at(late, 50).Round(time.Millisecond), at(late, 99).Round(time.Millisecond), at(late, 100).Round(time.Millisecond),
		mostIn(moments), float64(*parked)/spread.Seconds())
	t.Logf("%d of %d pairs of neighbours in the spread came the other way round by more than a second", s.swapped(due), *parked-1)
	if twice > 0 || at(late, 0) < 0 {
		t.Error("executed more than once, or before its time")
	}
}

func (s *system) parkedNow() int {
	s.t.Helper()
	refs, err := s.conn.ParkedOrders(s.t.Context(), account)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(refs)
}

// resumeTimes reads from the log when each payment is to be tried again.
func (s *system) resumeTimes() map[string]time.Time {
	s.t.Helper()
	due := make(map[string]time.Time, *parked)
	ctx, cancel := context.WithTimeout(s.t.Context(), timeout)
	defer cancel()
	done := make(chan struct{})
	go func() {
		_ = s.conn.ConsumePayments(ctx, account, "scale", []payment.Status{payment.Parked}, 1, func(_ context.Context, m events.Message) queue.Verdict {
			p, err := events.DecodePayment(m.Data)
			if err != nil {
				s.t.Error(err)
			}
			if due[p.Order] = p.ResumeAt; len(due) == *parked {
				cancel()
			}
			return queue.Acknowledge()
		})
		close(done)
	}()
	<-done
	if len(due) != *parked {
		s.t.Fatalf("the log has %d parked", len(due))
	}
	return due
}

// swapped counts the payments of which the one before it in the spread came more than a second later.
func (s *system) swapped(due map[string]time.Time) (n int) {
	orders := slices.SortedFunc(maps.Keys(due), func(a, b string) int { return due[a].Compare(due[b]) })
	for i := range len(orders) - 1 {
		if s.provider.at(orders[i]).Sub(s.provider.at(orders[i+1])) > time.Second {
			n++
		}
	}
	return n
}

// mostIn is the most moments, of which the oldest is first, in any second.
func mostIn(moments []time.Time) (most int) {
	first := 0
	for i, m := range moments {
		for m.Sub(moments[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
