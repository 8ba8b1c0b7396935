package faults

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// ready waits until the worker is ready or not; a reason must be named where it is not.
func (w *wrongClock) ready(ctx context.Context, reason string) {
	w.s.t.Helper()
	last := ""
	w.s.happens(ctx, fmt.Sprintf("/readyz %q", reason), func() bool {
		var status int
		status, last = w.s.Get(ctx, w.admin+"/readyz")
		if reason == "" {
			return status == http.StatusOK
		}
		return status == http.StatusServiceUnavailable && strings.Contains(last, reason) && strings.Contains(last, "chrony")
	})
	w.s.t.Logf("/readyz: %s", last)
}

// noDeadLetters fails the test if a message was given up.
func (s *system) noDeadLetters(ctx context.Context) {
	s.t.Helper()
	dead, err := s.Log.DeadLetters(ctx, 0, 100)
	s.Must(err)
	for _, d := range dead {
		s.t.Errorf("dead letter of %s: %s, %s", d.Message.Subject, d.Reason, d.Detail)
	}
}

// One worker's clock is ten minutes slow. It says so, is not ready and takes nothing: none of the orders fails, also not
// those that a good worker has parked or left in doubt. When its clock is right again it works by itself.
func TestAWorkersClockIsTenMinutesSlow(t *testing.T) {
	t.Parallel()
	s := startShifted(t)
	ctx := within(t, timeout)
	s.EditProvider(testenv.TeemoPay, "basic_time: 5s\nthreshold: 1m")
	bad := s.shiftedWorker(-10 * time.Minute)
	bad.ready(ctx, "10m0s behind the broker's")
	bad.says(ctx, "the clock is wrong; no messages are processed")
	var orders []order
	add := func(name string) {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("slow-%d-%s", len(orders), name)}, payment.Operations()[len(orders)%2]}
		orders = append(orders, o)
		s.publish(ctx, o)
	}
	for range 4 {
		add("alone")
	}
	good := s.worker()
	for range 6 {
		add("plain")
		add("x-drop-x-lost-callback") // in doubt, looked up when its schedule fires
		add("x-refuse503_2")          // in doubt or parked, tried again
	}
	s.settleOnce(ctx, orders...)
	s.noDeadLetters(ctx)
	if _, metrics := s.Get(ctx, bad.admin+"/metrics"); !strings.Contains(metrics, "payonce_clock_difference_seconds{") || !strings.Contains(metrics, "} -600.") && !strings.Contains(metrics, "} -599.") {
		t.Error("the metrics do not tell the difference")
	}
	if taken := bad.taken(ctx); taken != "" {
		t.Errorf("it took messages: %s", taken)
	}
	s.Must(good.Stop(testenv.StopTimeout))
	bad.set(0)
	bad.ready(ctx, "")
	bad.says(ctx, "the clock is correct again")
	o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "right-again"}, payment.Deposit}
	s.publish(ctx, o)
	s.settleOnce(ctx, o)
}

// taken returns the metric of messages that reached a handler, if there were any.
func (w *wrongClock) taken(ctx context.Context) string {
	_, metrics := w.s.Get(ctx, w.admin+"/metrics")
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
	ctx := within(t, timeout)
	s.Unhurried()
	w := s.shiftedWorker(0)
	s.worker()
	var orders []order
	for n := range 12 {
		o := order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("set-%d-x-slow", n)}, payment.Operations()[n%2]}
		orders = append(orders, o)
		s.publish(ctx, o)
	}
	s.stands(ctx, orders[0], payment.Submitting)
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

// Three workers at -5, 0 and +5 seconds, and a provider that drops its answers and does not know its orders at once, as
// long as its settling delay of 4 seconds allows: an "unknown" that is believed too early pays twice.
func TestThreeWorkersWithDifferentClocks(t *testing.T) {
	t.Parallel()
	s := startShifted(t)
	ctx := within(t, timeout)
	s.Edit("retry_for: 500ms\n", "retry_for: 100ms\n", "lease: 3s\n", "lease: 2200ms\n", "clock_bound: 0s\n", "clock_bound: 600ms\n",
		"lookup_min: 1s\n", "lookup_min: 300ms\n", "lookup_max: 5s\n", "lookup_max: 600ms\n", "settling_delay: 5s\n", "settling_delay: 4s\n")
	s.EditProvider(testenv.TeemoPay, "basic_time: 5s\nthreshold: 1m")
	s.Must(s.Sandbox.SetDefaultFaults(testenv.TeemoPay, sandbox.Fault{Name: sandbox.AcceptDuplicates}, sandbox.Fault{Name: sandbox.Drop},
		sandbox.Fault{Name: sandbox.LostCallback}, sandbox.Fault{Name: sandbox.Lag, Millis: 3500}))
	for _, by := range []time.Duration{-5 * time.Second, 0, 5 * time.Second} {
		w := s.shiftedWorker(by)
		w.ready(ctx, "")
		if by != 0 {
			w.says(ctx, "this machine's clock differs from NATS's")
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
