package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/secret"
	"payonce/test/pgtest"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

var (
	archivePayments = flag.Int("archive-payments", 0, "TestMeasureArchive: so many payments a run; 0 only tries it out")
	archiveRate     = flag.Int("archive-rate", 1000, "TestMeasureArchive: payments a second, for the lag")
	archiveRounds   = flag.Int("archive-rounds", 3, "TestMeasureArchive: pairs of runs, for what it costs workers")
)

// TestMeasureArchive measures on each database how far an archive is behind at a steady rate of payments, and what it costs two
// workers: in pairs of runs, one with and one without it, in turns. It checks that nothing is missing and holds no speed.
func TestMeasureArchive(t *testing.T) {
	redistest.Require(t)
	t.Cleanup(testenv.RemoveBuilds)
	payments, rounds := max(*archivePayments, 100), *archiveRounds
	if *archivePayments == 0 {
		rounds = 1
	}
	server, archives := pgtest.Start(t), 0
	for name, place := range map[string]func(dir string) archive.Location{
		"sqlite": func(dir string) archive.Location { return archive.Location{File: filepath.Join(dir, "archive.db")} },
		"postgres": func(string) archive.Location {
			archives++ // each of another log
			return archive.Location{URL: secret.New(server.URL()), Schema: fmt.Sprintf("archive_%d", archives)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			measureLag(t, place(t.TempDir()), payments)
			if rounds == 0 {
				return
			}
			var ratios []float64
			for round := range rounds {
				rate := map[bool]float64{}
				for _, with := range []bool{round%2 == 0, round%2 != 0} {
					t.Run(fmt.Sprintf("round-%d-archive-%t", round+1, with), func(t *testing.T) {
						rate[with] = throughputWith(t, place(t.TempDir()), with, payments)
					})
				}
				ratios = append(ratios, rate[true]/rate[false])
				t.Logf("round %d: %.0f payments/s with the archive, %.0f without: %.2f", round+1, rate[true], rate[false], ratios[round])
			}
			slices.Sort(ratios)
			t.Logf("of what the workers do without an archive, they do with it: %.2f (median of %d pairs, %.2f to %.2f)", ratios[rounds/2], rounds, ratios[0], ratios[rounds-1])
		})
	}
}

// copier is an archive as a process of its own.
type copier struct {
	*system
	process *testenv.Process
	store   *archive.Store
	began   time.Duration // of processor time
}

func startCopier(t *testing.T, s *system, place archive.Location) *copier {
	t.Helper()
	text, err := os.ReadFile(s.config)
	testenv.Must(t, err)
	at := "file: " + place.File
	if place.File == "" {
		testenv.Must(t, os.WriteFile(filepath.Join(filepath.Dir(s.config), "archive.url"), []byte(place.URL.Reveal()), 0o600))
		at = "url_file: archive.url\n  schema: " + place.Schema
	}
	config := filepath.Join(filepath.Dir(s.config), "archive.yaml")
	testenv.Must(t, os.WriteFile(config, append(text, "\narchive:\n  "+at+"\n"...), 0o600))
	store, err := archive.Open(t.Context(), place)
	testenv.Must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	process, err := testenv.Start(t.Context(), exec.Command(testenv.Build(t, "payonce/cmd/archive"), "--config", config), io.Discard, "copying the log")
	testenv.Must(t, err)
	t.Cleanup(process.Kill)
	return &copier{s, process, store, processorTime(t, process.Pid())}
}

// spent is the processor time of the archive since it was ready; that of PostgreSQL is not in it.
func (c *copier) spent(t *testing.T) time.Duration {
	t.Helper()
	return processorTime(t, c.process.Pid()) - c.began
}

// behind is how many events the archive lacks, and how long ago the newest that it has was stored.
func (c *copier) behind(t *testing.T) (lag uint64, age time.Duration) {
	t.Helper()
	log, err := c.js.Stream(t.Context(), events.StreamPayments)
	testenv.Must(t, err)
	at, err := c.store.Position(t.Context())
	testenv.Must(t, err)
	state := log.CachedInfo().State
	if lag = state.LastSeq - min(at.Sequence, state.LastSeq); lag > 0 && at.Sequence > 0 {
		age = state.LastTime.Sub(at.StoredAt)
	}
	return lag, age
}

// measureLag sends payments at a steady rate.
func measureLag(t *testing.T, place archive.Location, payments int) {
	t.Helper()
	s := start(t, t.TempDir(), setting{nodes: 1, slots: 64, workers: 2})
	plan{}.startFleet(s, payonce(), "", "")
	c := startCopier(t, s, place)
	sent, done := make(chan struct{}), make(chan struct{})
	var lags []uint64
	var ages []time.Duration
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-sent:
				return
			case <-tick.C:
				lag, age := c.behind(t)
				lags, ages = append(lags, lag), append(ages, age)
			}
		}
	}()
	began, tick := time.Now(), time.NewTicker(10*time.Millisecond)
	for n := 0; n < payments; {
		<-tick.C
		for due := int(time.Since(began).Seconds() * float64(*archiveRate)); n < min(due, payments); n++ {
			s.publish(fmt.Sprintf("A%d", n))
		}
	}
	tick.Stop()
	s.await(payments * payonce().events)
	took := time.Since(began)
	close(sent)
	<-done
	testenv.Await(t.Context(), t, "the archive has all", func() bool { lag, _ := c.behind(t); return lag == 0 })
	t.Logf("the archive spent %d µs of processor time on each event", c.spent(t).Microseconds()/int64(payments*payonce().events))
	if len(lags) == 0 {
		return // it was over at once
	}
	slices.Sort(lags)
	slices.Sort(ages)
	middle, most := len(lags)/2, len(lags)-1
	t.Logf("%.0f payments/s executed: the archive is %d events and %s behind (median), %d and %s (99 of 100), %d and %s at most",
		float64(payments)/took.Seconds(), lags[middle], ages[middle].Round(time.Millisecond), lags[most*99/100], ages[most*99/100].Round(time.Millisecond), lags[most], ages[most].Round(time.Millisecond))
}

// throughputWith executes a backlog and returns payments a second.
func throughputWith(t *testing.T, place archive.Location, with bool, payments int) float64 {
	t.Helper()
	s := start(t, t.TempDir(), setting{nodes: 1, slots: 64, workers: 2})
	var c *copier
	if with {
		c = startCopier(t, s, place)
	}
	r := result{}
	defer plan{payments: payments}.throughput(s, payonce(), &r).stop()
	if with {
		testenv.Await(t.Context(), t, "the archive has all", func() bool { lag, _ := c.behind(t); return lag == 0 })
		t.Logf("the archive spent %d µs of processor time on each event", c.spent(t).Microseconds()/int64(payments*payonce().events))
		st, err := c.store.Status(t.Context(), testenv.Connect(t, jetstream.Options{URLs: s.urls()}))
		testenv.Must(t, err)
		if int(st.Payments) != payments || int(st.Events) != payments*payonce().events {
			t.Errorf("the archive has %d payments and %d events of %d payments", st.Payments, st.Events, payments)
		}
	}
	return r.perSecond
}
