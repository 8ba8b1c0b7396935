package faults

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var (
	weekendOf   = flag.Int("measure", 0, "measure with so many parked payouts, see docs/reliability.md; 0 only tries it out")
	releaseOver = flag.Duration("over", 10*time.Minute, "with -measure: release them over this time")
	rounds      = flag.Int("rounds", 10, "so many runs of each that is compared")
)

func TestAParkedWeekendIsReleasedOnce(t *testing.T) {
	const payouts = 1000
	s := startWeekend(t)
	s.park(payouts)
	if done, _ := s.doneOnce(); done != 0 {
		t.Fatalf("%d were executed while the provider was away", done)
	}
	s.pay("O-1") // nobody else waits for Monday
	s.open(3 * time.Second)
	until(t, "all are executed", func() bool { done, _ := s.doneOnce(); return done == payouts })
	until(t, "nothing is parked", func() bool {
		refs, err := s.Log.ParkedOrders(t.Context(), "")
		return err == nil && len(refs) == 0 && s.Log.Stats().InFlight == 0
	})
	if done, twice := s.doneOnce(); done != payouts || twice != 0 {
		t.Errorf("%d executed, %d more than once", done, twice)
	}
}

// TestMeasureWeekend compares, in pairs of runs, how long a command of another provider takes on a system
// that holds the parked payouts, and on one that holds none; and at the opening also on one that gets new
// payouts at the same rate, which shows what comes from their having been parked.
func TestMeasureWeekend(t *testing.T) {
	if *weekendOf == 0 { // only to see that the measurement itself works
		*weekendOf, *releaseOver, *rounds, eachRun = 100, time.Second, 2, 20
	}
	empty, full := startWeekend(t), startWeekend(t)
	began := time.Now()
	full.park(*weekendOf)
	t.Logf("%d payouts parked in %s", *weekendOf, time.Since(began).Round(time.Second))
	t.Log(compare(empty, full, "parked"))
	began = time.Now()
	full.open(*releaseOver)
	first, _ := full.doneOnce()
	t.Logf("all released over %s, in %s", *releaseOver, time.Since(began).Round(time.Second))
	began = time.Now()
	t.Log(compare(empty, full, "opening"))
	busy := startWeekend(t)
	stop := busy.trickle(*releaseOver / time.Duration(*weekendOf))
	t.Log(compare(busy, full, "opening-as-many-new"))
	stop()
	done, twice := full.doneOnce()
	t.Logf("meanwhile %.0f payouts a second were executed, %d in all, %d more than once", float64(done-first)/time.Since(began).Seconds(), done, twice)
	if twice > 0 {
		t.Error("executed more than once")
	}
}

// each is how many payments make a run.
var eachRun = 200

// compare runs so many payments a round on the one and on the other, in turn. The baseline is the empty system against
// itself: the odd runs against the even ones.
func compare(empty, full *weekend, name string) string {
	var with, without, odd, even []time.Duration
	for round := range *rounds {
		a, b := weekendRun(empty, fmt.Sprintf("%s-a-%d", name, round)), weekendRun(full, fmt.Sprintf("%s-b-%d", name, round))
		without, with = append(without, a...), append(with, b...)
		if round%2 == 0 {
			even = append(even, a...)
		} else {
			odd = append(odd, a...)
		}
	}
	return fmt.Sprintf("%s: without p50 %s p99 %s, with p50 %s p99 %s, ratio p50 %.2f p99 %.2f, baseline p50 %.2f p99 %.2f (%d payments each)",
		name, percentile(without, 50), percentile(without, 99), percentile(with, 50), percentile(with, 99), ratio(with, without, 50), ratio(with, without, 99),
		ratio(odd, even, 50), ratio(odd, even, 99), len(with))
}

func weekendRun(s *weekend, name string) []time.Duration {
	var took []time.Duration
	for i := range eachRun {
		took = append(took, s.pay(fmt.Sprintf("%s-%d", name, i)))
	}
	return took
}
