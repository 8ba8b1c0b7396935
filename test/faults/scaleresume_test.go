//go:build measure

package faults

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
	parkedPayouts = flag.Int("parked", 50_000, "payouts that are parked")
	resumeSpread  = flag.Duration("spread", 5*time.Minute, "they resume over so long after the opening")
	parkingFor    = flag.Duration("parking", 5*time.Minute, "how long after the start the provider opens")
	workerCount   = flag.Int("workers", 4, "worker processes")
)

// TestMeasureResume parks payouts before an opening and compares, after it, each payout's time in the log with the
// moment at which the provider was asked.
func TestMeasureResume(t *testing.T) {
	opens := time.Now().UTC().Add(*parkingFor).Truncate(time.Second)
	s := startScale(t, fmt.Sprintf("  resume_spread: %s", *resumeSpread),
		fmt.Sprintf("    hours: {zone: UTC, days: mon-sun, hours: \"%s-23:59:59\"}", opens.Format(time.TimeOnly)))
	for range *workerCount {
		s.work()
	}
	began := time.Now()
	forEach(t, *parkedPayouts, "W", s.publish)
	until(t, "all are parked", func() bool { return s.parkedNow() == *parkedPayouts })
	if paid, _, _ := s.provider.counts(); paid > 0 || time.Now().After(opens) {
		t.Fatalf("parked too late: %d were paid; -parking must be longer", paid)
	}
	t.Logf("%d parked in %s", *parkedPayouts, time.Since(began).Round(time.Second))
	due := s.resumeTimes()
	until(t, "all are paid", func() bool { paid, _, _ := s.provider.counts(); return paid == *parkedPayouts })
	var late []time.Duration
	for order, at := range due {
		late = append(late, s.provider.at(order).Sub(at))
	}
	moments := s.provider.moments()
	slices.SortFunc(moments, time.Time.Compare)
	_, twice, _ := s.provider.counts()
	length := moments[len(moments)-1].Sub(opens)
	t.Logf("%d of %d paid, %d twice, in %s for %s: %.2f of the rate of the spread (%.0f a second); earliest %s, late p50 %s p99 %s most %s; most in a second %d, the spread has %.0f",
		len(moments), *parkedPayouts, twice, length.Round(time.Second), *resumeSpread, resumeSpread.Seconds()/length.Seconds(), float64(*parkedPayouts)/length.Seconds(),
		percentile(late, 0).Round(time.Millisecond), percentile(late, 50).Round(time.Millisecond), percentile(late, 99).Round(time.Millisecond), percentile(late, 100).Round(time.Millisecond),
		mostIn(moments), float64(*parkedPayouts)/resumeSpread.Seconds())
	t.Logf("%d of %d pairs of neighbours in the spread came the other way round by more than a second", s.swapped(due), *parkedPayouts-1)
	if twice > 0 || percentile(late, 0) < 0 {
		t.Error("executed more than once, or before its time")
	}
}

func (s *scale) parkedNow() int {
	s.T.Helper()
	refs, err := s.Log.ParkedOrders(s.T.Context(), scaled)
	s.Must(err)
	return len(refs)
}

// resumeTimes reads from the log when each payment is to be tried again.
func (s *scale) resumeTimes() map[string]time.Time {
	s.T.Helper()
	due := make(map[string]time.Time, *parkedPayouts)
	ctx, cancel := context.WithTimeout(s.T.Context(), 10*timeout)
	defer cancel()
	done := make(chan struct{})
	go func() {
		_ = s.Log.ConsumePayments(ctx, scaled, "scale", []payment.Status{payment.Parked}, 1, func(_ context.Context, m events.Message) queue.Verdict {
			p, err := events.DecodePayment(m.Data)
			if err != nil {
				s.T.Error(err)
			}
			if due[p.Order] = p.ResumeAt; len(due) == *parkedPayouts {
				cancel()
			}
			return queue.Acknowledge()
		})
		close(done)
	}()
	<-done
	if len(due) != *parkedPayouts {
		s.T.Fatalf("the log has %d parked", len(due))
	}
	return due
}

// swapped counts the payments of which the one before it in the spread came more than a second later.
func (s *scale) swapped(due map[string]time.Time) (n int) {
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

var (
	waitingCommands = flag.Int("waiting", 2000, "commands that wait for a provider")
	awayFor         = flag.Duration("away", 25*time.Second, "how long it is away")
	callRate        = flag.Int("rate", 50, "calls a second that it takes, 0 for any number")
)

// TestMeasureReturn lets a provider be away until the breakers of all workers are open and everything waits, and
// counts its calls, second by second, once it is back.
func TestMeasureReturn(t *testing.T) {
	limit := fmt.Sprintf("    rate: {calls: %d, per: 1s, burst: 1}\n", *callRate)
	s := startScale(t, "", limit+"    breaker: {failures: 5, open_for: 30s, probes: 1}")
	s.provider.close()
	for range *workerCount {
		s.work()
	}
	began := time.Now()
	forEach(t, *waitingCommands, "B", s.publish)
	until(t, "all wait", func() bool { return s.parkedNow() == *waitingCommands || time.Since(began) > 2**awayFor })
	t.Logf("%d of %d are parked after %s", s.parkedNow(), *waitingCommands, time.Since(began).Round(100*time.Millisecond))
	until(t, "the time is over", func() bool { return time.Since(began) > *awayFor })
	s.provider.open()
	back := time.Now()
	until(t, "all are paid", func() bool { paid, _, _ := s.provider.counts(); return paid == *waitingCommands })
	moments := s.provider.moments()
	slices.SortFunc(moments, time.Time.Compare)
	_, twice, _ := s.provider.counts()
	t.Logf("%d paid, %d twice, %s to %s after it was back; rate %d", len(moments), twice,
		moments[0].Sub(back).Round(time.Millisecond), moments[len(moments)-1].Sub(back).Round(time.Millisecond), *callRate)
	var each []int
	for _, m := range moments {
		second := int(m.Sub(moments[0]) / time.Second)
		for len(each) <= second {
			each = append(each, 0)
		}
		each[second]++
	}
	t.Logf("most in any second %d, by second from the first call: %v", mostIn(moments), each)
	if twice > 0 {
		t.Error("executed more than once")
	}
}
