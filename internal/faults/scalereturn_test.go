//go:build measure

package faults

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"
)

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
