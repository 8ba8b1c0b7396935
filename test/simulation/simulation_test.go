package simulation_test

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/test/race"
	"payonce/test/simulation"
)

var (
	seed = flag.Uint64("seed", 1, "first seed of the simulation; with -record, if not given, the first that is not in the file")
	runs = flag.Uint64("runs", uint64(race.Share(2500, 12)), "number of seeds")
	kept = flag.String("record", "", "file to which a search adds a line every minute, and its result")
)

// The heap of a run is small and all of it is garbage soon: at 64 MiB it is collected.
func TestMain(m *testing.M) {
	debug.SetGCPercent(1600)
	os.Exit(m.Run())
}

// Every seed from -seed on, -runs of them. The first that fails is printed from its beginning.
func TestSimulation(t *testing.T) {
	first, record := *seed, newRecord(*kept)
	if record.file != "" && !given("seed") {
		first = record.sum(t).next
	}
	s := newSearch(first, *runs, simulation.Mutant{})
	tellRecord := func() {
		t.Log(s)
		record.add(t, s.String())
	}
	ended := make(chan struct{})
	go func() { s.play(); close(ended) }()
	for tick := time.NewTicker(time.Minute); ; {
		select {
		case <-ended:
		case <-tick.C:
			tellRecord()
			continue
		}
		break
	}
	if *runs == 1 && testing.Verbose() {
		t.Log("\n" + strings.Join(simulation.Run(first, simulation.Mutant{}, true).Trace, "\n"))
	}
	if tellRecord(); record.file != "" {
		t.Logf("%s: %s", record.file, record.sum(t))
	}
	if failed := s.failed.Load(); failed > 0 {
		tell(t, failed-1)
	}
	if events := s.seen.events.Load(); events < *runs {
		t.Errorf("%d runs wrote only %d events", *runs, events)
	}
	if *runs >= 500 { // with the race detector there are fewer
		s.seen.check(t)
	}
}

// tell prints a run that failed.
func tell(t *testing.T, seed uint64) {
	t.Helper()
	again := simulation.Run(seed, simulation.Mutant{}, true)
	t.Fatalf("seed %d:\n%s\n\n%s\n\nreplay: go test ./test/simulation -run 'Simulation$' -seed %d -runs 1",
		seed, strings.Join(again.Trace, "\n"), strings.Join(again.Problems, "\n"), seed)
}

// A run takes the coroutines of the runs before it, and gives them back.
func TestCoroutinesAreUsedAgain(t *testing.T) {
	play := func(from, to uint64) int {
		for s := from; s < to; s++ {
			simulation.Run(s, simulation.Mutant{}, false)
		}
		return runtime.NumGoroutine()
	}
	// The same runs twice: how many coroutines one needs at the same time differs from run to run.
	if before, after := play(50, 150), play(50, 150); after > before+10 {
		t.Errorf("100 runs left %d goroutines", after-before)
	}
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
