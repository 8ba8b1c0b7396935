package simulation_test

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/test/race"
	"payonce/test/simulation"
)

var (
	seed = flag.Uint64("seed", 1, "first seed of the simulation")
	runs = flag.Uint64("runs", uint64(race.Share(2500, 12)), "number of seeds")
)

// The heap of a run is small and all of it is garbage soon.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// Every seed from -seed on, -runs of them. The first that fails is printed from its beginning.
func TestSimulation(t *testing.T) {
	began := time.Now()
	var next, events atomic.Uint64
	var failed atomic.Uint64 // seed+1
	var seen happenings
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for n := next.Add(1) - 1; n < *runs && failed.Load() == 0; n = next.Add(1) - 1 {
				r := simulation.Run(*seed+n, simulation.Mutant{}, false)
				events.Add(uint64(r.Events))
				seen.add(r)
				if len(r.Problems) > 0 {
					failed.Store(*seed + n + 1)
				}
			}
		})
	}
	ended := make(chan struct{})
	go func() { group.Wait(); close(ended) }()
	for tick := time.NewTicker(5 * time.Second); ; {
		select {
		case <-ended:
		case <-tick.C:
			t.Logf("%d of %d runs", min(next.Load(), *runs), *runs)
			continue
		}
		break
	}
	if *runs == 1 && testing.Verbose() {
		t.Log("\n" + strings.Join(simulation.Run(*seed, simulation.Mutant{}, true).Trace, "\n"))
	}
	if s := failed.Load(); s > 0 {
		tell(t, s-1)
	}
	if events.Load() < *runs {
		t.Errorf("%d runs wrote only %d events", *runs, events.Load())
	}
	if *runs >= 500 { // with the race detector there are fewer
		seen.check(t)
	}
	t.Logf("%d runs from seed %d: %d events in the log, %.0f runs/s", *runs, *seed, events.Load(), float64(*runs)/time.Since(began).Seconds())
}

// tell prints a run that failed.
func tell(t *testing.T, seed uint64) {
	t.Helper()
	again := simulation.Run(seed, simulation.Mutant{}, true)
	t.Fatalf("seed %d:\n%s\n\n%s\n\nreplay: go test ./test/simulation -run 'Simulation$' -seed %d -runs 1",
		seed, strings.Join(again.Trace, "\n"), strings.Join(again.Problems, "\n"), seed)
}

// The same seed gives the same scenario, event by event.
func TestSameSeedSameTrace(t *testing.T) {
	lengths := map[int]bool{}
	for s := *seed; s < *seed+100; s++ {
		a, b := simulation.Run(s, simulation.Mutant{}, true), simulation.Run(s, simulation.Mutant{}, true)
		if !slices.Equal(a.Trace, b.Trace) {
			t.Fatalf("seed %d: two traces", s)
		}
		lengths[len(a.Trace)] = true
	}
	if len(lengths) < 50 {
		t.Errorf("100 seeds tell only %d scenarios", len(lengths))
	}
}

// happenings are what came to pass in all runs. A simulation in which something never happens proves nothing about
// it.
type happenings struct {
	mu     sync.Mutex
	faults []int
	ends   map[payment.Status]int
}

func (h *happenings) add(r simulation.Result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.faults == nil {
		h.faults, h.ends = make([]int, len(r.Faults)), map[payment.Status]int{}
	}
	for f, n := range r.Faults {
		h.faults[f] += n
	}
	for status, n := range r.Ends {
		h.ends[status] += n
	}
}

func (h *happenings) check(t *testing.T) {
	t.Helper()
	for f, n := range h.faults {
		if n == 0 {
			t.Errorf("fault %d never happens", f)
		}
	}
	for _, status := range []payment.Status{payment.Parked, payment.InDoubt, payment.Pending, payment.Settled, payment.Failed, payment.Conflict, payment.Reversed} {
		if h.ends[status] < 10 {
			t.Errorf("only %d orders end %s", h.ends[status], status)
		}
	}
	t.Logf("ends %v, faults %v", h.ends, h.faults)
}
