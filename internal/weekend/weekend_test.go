package weekend_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"
)

var (
	measure = flag.Int("measure", 0, "measure with so many parked payouts, see docs/reliability.md; 0 only tries it out")
	over    = flag.Duration("over", 10*time.Minute, "with -measure: release them over this time")
	rounds  = flag.Int("rounds", 10, "with -measure: so many pairs of runs before the opening and after it")
)

func TestAParkedWeekendIsReleasedOnce(t *testing.T) {
	const payouts = 1000
	s := start(t)
	s.park(payouts)
	if done, _ := s.doneOnce(); done != 0 {
		t.Fatalf("%d were executed while the provider was away", done)
	}
	s.pay("O-1") // nobody else waits for Monday
	s.open(3 * time.Second)
	s.until("all are executed", func() bool { done, _ := s.doneOnce(); return done == payouts })
	s.until("nothing is parked", func() bool {
		refs, err := s.conn.ParkedOrders(t.Context(), "")
		return err == nil && len(refs) == 0 && s.conn.Stats().InFlight == 0
	})
	if done, twice := s.doneOnce(); done != payouts || twice != 0 {
		t.Errorf("%d executed, %d more than once", done, twice)
	}
}

// TestMeasureWeekend compares, in pairs of runs, how long a command of another provider takes on a system
// that holds the parked payouts, and on one that holds none; and at the opening also on one that gets new
// payouts at the same rate, which shows what comes from their having been parked.
func TestMeasureWeekend(t *testing.T) {
	if *measure == 0 { // only to see that the measurement itself works
		*measure, *over, *rounds, each = 100, time.Second, 2, 20
	}
	empty, full := start(t), start(t)
	began := time.Now()
	full.park(*measure)
	t.Logf("%d payouts parked in %s", *measure, time.Since(began).Round(time.Second))
	t.Log(compare(empty, full, "parked"))
	began = time.Now()
	full.open(*over)
	first, _ := full.doneOnce()
	t.Logf("all released over %s, in %s", *over, time.Since(began).Round(time.Second))
	began = time.Now()
	t.Log(compare(empty, full, "opening"))
	busy := start(t)
	stop := busy.trickle(*over / time.Duration(*measure))
	t.Log(compare(busy, full, "opening-as-many-new"))
	stop()
	done, twice := full.doneOnce()
	t.Logf("meanwhile %.0f payouts a second were executed, %d in all, %d more than once", float64(done-first)/time.Since(began).Seconds(), done, twice)
	if twice > 0 {
		t.Error("executed more than once")
	}
}

// each is how many payments make a run.
var each = 200

// compare runs so many payments a round on the one and on the other, in turn. The baseline is the empty system against
// itself: the odd runs against the even ones.
func compare(empty, full *system, name string) string {
	var with, without, odd, even []time.Duration
	for round := range *rounds {
		a, b := run(empty, fmt.Sprintf("%s-a-%d", name, round)), run(full, fmt.Sprintf("%s-b-%d", name, round))
		without, with = append(without, a...), append(with, b...)
		if round%2 == 0 {
			even = append(even, a...)
		} else {
			odd = append(odd, a...)
		}
	}
	return fmt.Sprintf("%s: without p50 %s p99 %s, with p50 %s p99 %s, ratio p50 %.2f p99 %.2f, baseline p50 %.2f p99 %.2f (%d payments each)",
		name, at(without, 50), at(without, 99), at(with, 50), at(with, 99), ratio(with, without, 50), ratio(with, without, 99),
		ratio(odd, even, 50), ratio(odd, even, 99), len(with))
}

func run(s *system, name string) []time.Duration {
	var took []time.Duration
	for i := range each {
		took = append(took, s.pay(fmt.Sprintf("%s-%d", name, i)))
	}
	return took
}

func at(all []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)*percent/100].Round(10 * time.Microsecond)
}

func ratio(a, b []time.Duration, percent int) float64 {
	return float64(at(a, percent)) / float64(max(at(b, percent), 1))
}
