package simulation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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

// String says how far the search is. A search that was ended begins again after the seeds that it names.
func (s *search) String() string {
	done, took, used := s.done(), time.Since(s.began), alloctest.ProcessorTime()-s.used
	rate := float64(done) / took.Seconds()
	text := fmt.Sprintf("seeds %d to %d: %d of %d runs, %d events, no broken promise, %.0f runs/s, %.0f for a second of processor time",
		s.first, s.first+done-1, done, s.runs, s.seen.events.Load(), rate, float64(done)/used.Seconds())
	switch failed := s.failed.Load(); {
	case failed > 0:
		return fmt.Sprintf("seed %d fails", failed-1)
	case done == 0:
		return "nothing is played yet"
	case done < s.runs:
		text += fmt.Sprintf(", %s left", time.Duration(float64(s.runs-done)/rate*float64(time.Second)).Round(time.Second))
	}
	return text
}

// tell prints how far the search is, and adds it to the file of records, if there is one.
func (s *search) tell(t *testing.T, record string) {
	t.Helper()
	t.Log(s)
	if record == "" {
		return
	}
	file, err := os.OpenFile(record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(file, "%s %s\n", time.Now().UTC().Format(time.RFC3339), s)
	if closed := file.Close(); err != nil || closed != nil {
		t.Fatalf("write the record: %v, %v", err, closed)
	}
}

// What a search says of itself is all that is kept of it.
func TestSearchIsRecorded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "record")
	mistake := simulation.Mutants()[0]
	for _, c := range []struct {
		of   *search
		want string
	}{
		{newSearch(7, 20, simulation.Mutant{}), " seeds 7 to 26: 20 of 20 runs, "},
		{newSearch(1, 1000, mistake), " seed "},
	} {
		c.of.play()
		c.of.tell(t, file)
		text, err := os.ReadFile(file)
		if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); err != nil || !strings.Contains(lines[len(lines)-1], c.want) {
			t.Errorf("recorded %q, %v; want %q", lines, err, c.want)
		}
	}
	half := newSearch(7, 20, simulation.Mutant{})
	for p := range half.playing {
		half.playing[p].Store(10 + uint64(p))
	}
	if text := half.String(); !strings.HasPrefix(text, "seeds 7 to 16: 10 of 20 runs, ") || !strings.HasSuffix(text, " left") {
		t.Errorf("half of a search: %s", text)
	}
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
