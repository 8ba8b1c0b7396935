package simulation_test

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/test/alloctest"
	"payonce/test/simulation"
)

// search plays seeds in their order, on all processors, until one fails.
type search struct {
	first, runs uint64
	mutant      simulation.Mutant
	next        atomic.Uint64   // the number of the run that is begun next; seed first has number 0
	playing     []atomic.Uint64 // the number of the run that each processor plays, runs when there are no more
	failed      atomic.Uint64   // seed+1
	seen        happenings
	began       time.Time
	used        time.Duration // of processors, before it began
}

func newSearch(first, runs uint64, m simulation.Mutant) *search {
	return &search{
		first: first, runs: runs, mutant: m, playing: make([]atomic.Uint64, runtime.GOMAXPROCS(0)),
		began: time.Now(), used: alloctest.ProcessorTime(),
	}
}

// play returns when all runs are played, or after the first that fails.
func (s *search) play() {
	var group sync.WaitGroup
	for p := range s.playing {
		group.Go(func() {
			for n := s.next.Add(1) - 1; n < s.runs && s.failed.Load() == 0; n = s.next.Add(1) - 1 {
				s.playing[p].Store(n)
				r := simulation.Run(s.first+n, s.mutant, false)
				s.seen.add(r)
				if len(r.Problems) > 0 {
					s.failed.Store(s.first + n + 1)
					return
				}
			}
			s.playing[p].Store(s.runs)
		})
	}
	group.Wait()
}

// done is how many runs are played, from the first on without a gap.
func (s *search) done() uint64 {
	done := s.runs
	for p := range s.playing {
		done = min(done, s.playing[p].Load())
	}
	return done
}

// String says how far the search is: which seeds are played without a gap, and what came of them.
func (s *search) String() string {
	done, took, used := s.done(), time.Since(s.began), alloctest.ProcessorTime()-s.used
	found := "no broken promise"
	if failed := s.failed.Load(); failed > 0 {
		found = fmt.Sprintf("seed %d fails", failed-1)
	}
	if done == 0 {
		return "nothing is played yet, " + found
	}
	rate := float64(done) / took.Seconds()
	text := fmt.Sprintf("seeds %d to %d: %d of %d runs, %d events, %s, %.0f runs/s, %.0f for a second of processor time",
		s.first, s.first+done-1, done, s.runs, s.seen.events.Load(), found, rate, float64(done)/used.Seconds())
	if done < s.runs {
		text += fmt.Sprintf(", %s left", time.Duration(float64(s.runs-done)/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}

// happenings are what came to pass in all runs. A simulation in which something never happens proves nothing about
// it.
type happenings struct {
	events atomic.Uint64
	mu     sync.Mutex
	faults []int
	ends   map[payment.Status]int
}

func (h *happenings) add(r simulation.Result) {
	h.events.Add(uint64(r.Events))
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
