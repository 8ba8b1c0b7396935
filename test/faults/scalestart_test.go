//go:build measure

package faults

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/test/testenv"
)

var (
	pendingPayments = flag.Int("pending", 100_000, "payments that are pending when a worker starts")
	forgotten       = flag.Bool("again", false, "the broker has forgotten its timers before each start")
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
	empty, young, due := startScale(t, hasty, soon), startScale(t, hasty, hourly), startScale(t, hasty, soon)
	for _, s := range []*scale{young, due} {
		forEach(t, *pendingPayments, "P", s.appendPending)
	}
	written := time.Now()
	until(t, "all are due", func() bool { return time.Since(written) > 61*time.Second })
	runs := []*starts{{name: "empty", s: empty}, {name: "young", s: young}, {name: "due", s: due}}
	for round := range *rounds {
		for _, r := range runs {
			r.begin(round)
		}
	}
	for _, r := range runs {
		paid, twice, lookups := r.s.provider.counts()
		t.Logf("%s: first payment %s after the start (%.2f), then each %s p99 %s (%.2f), %d MiB resident, most %d MiB; %d paid, %d twice, %d look-ups",
			r.name, percentile(r.first, 50), ratio(r.first, runs[0].first, 50), percentile(r.each, 50), percentile(r.each, 99), ratio(r.each, runs[0].each, 50),
			r.resident>>10, r.most>>10, paid, twice, lookups)
		t.Logf("%s: first of every start: %s; read from the log: %s", r.name, r.first, r.s.read())
	}
}

func (s *scale) appendPending(ctx context.Context, order string) error {
	p := payment.New(payoutOf(scaled, order))
	p.Status, p.Revision, p.Attempts, p.Known = payment.Pending, 1, 1, true
	p.SubmittedAt, p.UpdatedAt, p.ProviderReference = p.RequestedAt, p.RequestedAt, "P"+order
	_, err := s.Log.Append(ctx, p, 0)
	return err
}

// starts is what was measured on one system.
type starts struct {
	name           string
	s              *scale
	first, each    []time.Duration
	resident, most int // KiB, the most of all starts
}

// begin starts a worker with a command in the queue and then pays 100 payments, one after the other.
func (r *starts) begin(round int) {
	t := r.s.T
	t.Helper()
	if *forgotten {
		r.s.forgetTimers()
	}
	waits := fmt.Sprintf("F-%d", round)
	paid := r.s.provider.expect(waits)
	r.s.Must(r.s.publish(t.Context(), waits))
	began := time.Now()
	worker := r.s.work()
	r.first = append(r.first, r.s.took(paid, began))
	for i := range 100 {
		order := fmt.Sprintf("E-%d-%d", round, i)
		paid, began := r.s.provider.expect(order), time.Now()
		r.s.Must(r.s.publish(t.Context(), order))
		r.each = append(r.each, r.s.took(paid, began))
	}
	resident, err := worker.Memory("VmRSS")
	r.s.Must(err)
	most, err := worker.Memory("VmHWM")
	r.s.Must(err)
	r.resident, r.most = max(r.resident, resident), max(r.most, most)
	if err := worker.Stop(testenv.StopTimeout); err != nil {
		t.Error(err)
	}
}

func (s *scale) took(paid <-chan struct{}, began time.Time) time.Duration {
	s.T.Helper()
	select {
	case <-paid:
	case <-time.After(10 * timeout):
		s.T.Fatal("not paid")
	}
	return time.Since(began).Round(10 * time.Microsecond)
}
