//go:build measure

package scale_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"payonce/internal/testenv"
	"payonce/pkg/payment"
)

var (
	pending = flag.Int("pending", 100_000, "payments that are pending when a worker starts")
	rounds  = flag.Int("rounds", 9, "starts of each")
	again   = flag.Bool("again", false, "the broker has forgotten its timers before each start")
)

// A lease that lets look-ups be due a minute after the last event, and look-ups that are due so soon, or in an hour.
const (
	hasty  = "  submit_timeout: 2s\n  retry_for: 1s\n  lease: 6s"
	soon   = "    basic_time: 1m\n    threshold: 2d"
	hourly = "    basic_time: 1h\n    threshold: 2d"
)

// TestMeasureStart starts a worker on an empty log, on one with many pending payments of which none is due to be
// looked up, and on one where all are due, in turn.
func TestMeasureStart(t *testing.T) {
	binary := build(t)
	empty, young, due := start(t, binary, hasty, soon), start(t, binary, hasty, hourly), start(t, binary, hasty, soon)
	for _, s := range []*system{young, due} {
		s.each(*pending, "P", s.appendPending)
	}
	written := time.Now()
	young.until("all are due", func() bool { return time.Since(written) > 61*time.Second })
	runs := []*starts{{name: "empty", s: empty}, {name: "young", s: young}, {name: "due", s: due}}
	for round := range *rounds {
		for _, r := range runs {
			r.begin(round)
		}
	}
	for _, r := range runs {
		paid, twice, lookups := r.s.provider.counts()
		t.Logf("%s: first payment %s after the start (%.2f), then each %s p99 %s (%.2f), %d MiB resident, most %d MiB; %d paid, %d twice, %d look-ups",
			r.name, at(r.first, 50), ratio(r.first, runs[0].first), at(r.each, 50), at(r.each, 99), ratio(r.each, runs[0].each),
			r.resident>>10, r.most>>10, paid, twice, lookups)
		t.Logf("%s: first of every start: %s; read from the log: %s", r.name, r.first, r.s.read())
	}
}

func (s *system) appendPending(ctx context.Context, order string) error {
	p := payment.New(command(order))
	p.Status, p.Revision, p.Attempts, p.Known = payment.Pending, 1, 1, true
	p.SubmittedAt, p.UpdatedAt, p.ProviderReference = p.RequestedAt, p.RequestedAt, "P"+order
	_, err := s.conn.Append(ctx, p, 0)
	return err
}

// starts is what was measured on one system.
type starts struct {
	name           string
	s              *system
	first, each    []time.Duration
	resident, most int // KiB, the most of all starts
}

// begin starts a worker with a command in the queue and then pays 100 payments, one after the other.
func (r *starts) begin(round int) {
	t := r.s.t
	t.Helper()
	if *again {
		r.s.forgetTimers()
	}
	waits := fmt.Sprintf("F-%d", round)
	paid := r.s.provider.expect(waits)
	if err := r.s.publish(t.Context(), waits); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	worker := r.s.work()
	r.first = append(r.first, r.s.took(paid, began))
	for i := range 100 {
		order := fmt.Sprintf("E-%d-%d", round, i)
		paid, began := r.s.provider.expect(order), time.Now()
		if err := r.s.publish(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		r.each = append(r.each, r.s.took(paid, began))
	}
	r.resident, r.most = max(r.resident, memory(t, worker, "VmRSS:")), max(r.most, memory(t, worker, "VmHWM:"))
	if err := worker.Stop(testenv.StopTimeout); err != nil {
		t.Error(err)
	}
}

func (s *system) took(paid <-chan struct{}, began time.Time) time.Duration {
	s.t.Helper()
	select {
	case <-paid:
	case <-time.After(timeout):
		s.t.Fatal("not paid")
	}
	return time.Since(began).Round(10 * time.Microsecond)
}

// memory reads a line of a process' status in KiB (proc(5)).
func memory(t *testing.T, p *testenv.Process, name string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), name)
	n, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func at(all []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[(len(sorted)-1)*percent/100]
}

func ratio(a, b []time.Duration) float64 { return float64(at(a, 50)) / float64(at(b, 50)) }
