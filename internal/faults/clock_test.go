package faults

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"payonce/internal/testenv"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// page asks the worker's admin listener for a page.
func (w *wrongClock) page(ctx context.Context, path string) (status int, text string) {
	w.s.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.admin+path, nil)
	w.s.must(err)
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	w.s.must(err)
	return reply.StatusCode, string(body)
}

// ready waits until the worker is ready or not; a reason must be named where it is not.
func (w *wrongClock) ready(ctx context.Context, reason string) {
	w.s.t.Helper()
	last := ""
	w.until(fmt.Sprintf("/readyz %q", reason), func() bool {
		status, text := w.page(ctx, "/readyz")
		last = text
		if reason == "" {
			return status == http.StatusOK
		}
		return status == http.StatusServiceUnavailable && strings.Contains(text, reason) && strings.Contains(text, "chrony")
	})
	w.s.t.Logf("/readyz: %s", last)
}

// noDeadLetters fails the test if a message was given up.
func (s *system) noDeadLetters(ctx context.Context) {
	s.t.Helper()
	dead, err := s.log.DeadLetters(ctx, 0, 100)
	s.must(err)
	for _, d := range dead {
		s.t.Errorf("dead letter of %s: %s, %s", d.Message.Subject, d.Reason, d.Detail)
	}
}

// One worker's clock is ten minutes slow. It says so, is not ready and takes nothing: none of the orders fails, also not
// those that a good worker has parked or left in doubt. When its clock is right again it works by itself.
func TestAWorkersClockIsTenMinutesSlow(t *testing.T) {
	t.Parallel()
	s := startShifted(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	s.configure(testenv.TeemoPay, "basic_time: 5s\nthreshold: 1m")
	bad := s.shiftedWorker(-10 * time.Minute)
	bad.ready(ctx, "10m0s behind the broker's")
	bad.says("the clock cannot be trusted")
	var orders []order
	add := func(name string) {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("slow-%d-%s", len(orders), name)}, payment.Operations()[len(orders)%2]}
		orders = append(orders, o)
		s.publish(ctx, o)
	}
	for range 4 {
		add("alone")
	}
	good := s.worker(s.programs.worker)
	for range 6 {
		add("plain")
		add("x-drop-x-lost-callback") // in doubt, looked up when its schedule fires
		add("x-refuse503_2")          // in doubt or parked, tried again
	}
	for _, o := range orders {
		s.check(o, s.ended(ctx, o))
	}
	s.noDeadLetters(ctx)
	if _, metrics := bad.page(ctx, "/metrics"); !strings.Contains(metrics, "payonce_clock_difference_seconds{") || !strings.Contains(metrics, "} -600.") && !strings.Contains(metrics, "} -599.") {
		t.Error("the metrics do not tell the difference")
	}
	if taken := bad.taken(ctx); taken != "" {
		t.Errorf("it took messages: %s", taken)
	}
	s.must(good.Stop(testenv.StopTimeout))
	bad.set(0)
	bad.ready(ctx, "")
	bad.says("the clock is right again")
	o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "right-again"}, payment.Deposit}
	s.publish(ctx, o)
	s.check(o, s.ended(ctx, o))
}

// taken returns the metric of messages that reached a handler, if there were any.
func (w *wrongClock) taken(ctx context.Context) string {
	_, metrics := w.page(ctx, "/metrics")
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "payonce_queue_deliveries_total{") && !strings.HasSuffix(line, " 0\n") {
			return line
		}
	}
	return ""
}

// The clock becomes wrong while the worker works: what it has begun it ends by the broker's time.
func TestAClockIsSetWhileAWorkerWorks(t *testing.T) {
	t.Parallel()
	s := startShifted(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	s.unhurried()
	w := s.shiftedWorker(0)
	s.worker(s.programs.worker)
	var orders []order
	for n := range 12 {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("set-%d-x-slow", n)}, payment.Operations()[n%2]}
		orders = append(orders, o)
		s.publish(ctx, o)
	}
	s.submitting(ctx, orders[0])
	w.set(time.Hour)
	w.ready(ctx, "1h0m0s ahead of the broker's")
	for _, o := range orders {
		for _, r := range s.endedOnce(ctx, o) {
			if age := r.Payment.UpdatedAt.Sub(r.StoredAt).Abs(); age > time.Minute {
				t.Errorf("%s: the event %s was written as of %s, and stored at %s", o.ref, r.Payment.Status, r.Payment.UpdatedAt, r.StoredAt)
			}
		}
	}
	s.noDeadLetters(ctx)
}

// endedOnce is ended and check.
func (s *system) endedOnce(ctx context.Context, o order) []events.Record {
	s.t.Helper()
	records := s.ended(ctx, o)
	s.check(o, records)
	return records
}

// Three workers at -5, 0 and +5 seconds, and a provider that drops its answers and does not know its orders at once, as
// long as its settling delay of 4 seconds allows: an "unknown" that is believed too early pays twice.
func TestThreeWorkersWithDifferentClocks(t *testing.T) {
	t.Parallel()
	s := startShifted(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	text, err := os.ReadFile(s.config)
	s.must(err)
	edited := strings.NewReplacer(
		"retry_for: 500ms\n", "retry_for: 100ms\n", "lease: 3s\n", "lease: 2200ms\n", "clock_bound: 0s\n", "clock_bound: 600ms\n",
		"lookup_min: 1s\n", "lookup_min: 300ms\n", "lookup_max: 5s\n", "lookup_max: 600ms\n", "settling_delay: 5s\n", "settling_delay: 4s\n",
	).Replace(string(text))
	for _, want := range []string{"retry_for: 100ms", "lease: 2200ms", "clock_bound: 600ms", "lookup_min: 300ms", "lookup_max: 600ms", "settling_delay: 4s"} {
		if !strings.Contains(edited, want) {
			t.Fatalf("the test environment's file has no %q", want)
		}
	}
	s.must(os.WriteFile(s.config, []byte(edited), 0o600))
	s.configure(testenv.TeemoPay, "basic_time: 5s\nthreshold: 1m")
	s.must(s.sandbox.SetDefaultFaults(testenv.TeemoPay, sandbox.Fault{Name: sandbox.AcceptDuplicates}, sandbox.Fault{Name: sandbox.Drop},
		sandbox.Fault{Name: sandbox.LostCallback}, sandbox.Fault{Name: sandbox.Lag, Millis: 3500}))
	for _, by := range []time.Duration{-5 * time.Second, 0, 5 * time.Second} {
		w := s.shiftedWorker(by)
		w.ready(ctx, "")
		if by != 0 {
			w.says("this machine's clock differs from NATS's")
		}
	}
	var orders []order
	for n := range 24 {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("three-%d", n)}, payment.Operations()[n%2]}
		orders = append(orders, o)
		s.publish(ctx, o)
	}
	for _, o := range orders {
		s.endedOnce(ctx, o)
	}
	s.noDeadLetters(ctx)
}
