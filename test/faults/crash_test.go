package faults

import (
	"context"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/pkg/worker"
	"payonce/test/testenv"
)

// A worker is killed with SIGKILL at each step of a deposit and of a payout: before its intent, between
// intent and call, after the call, before the append, and before the acknowledgement.
func TestWorkerKilledAtEachStep(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := within(t, timeout)
	var orders []order
	for _, step := range worker.Steps() {
		for _, op := range payment.Operations() {
			o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "kill-" + string(op) + "-" + string(step)}, op}
			doomed := s.crashWorker("PAYONCE_CRASH_AT="+string(step), "PAYONCE_CRASH_ORDER="+o.ref.Order)
			s.publish(ctx, o)
			select {
			case <-doomed.Done():
			case <-ctx.Done():
				t.Fatalf("%s: the worker was not killed", o.ref)
			}
			if !doomed.Killed() {
				t.Fatalf("%s: the worker ended by itself", o.ref)
			}
			orders = append(orders, o)
		}
	}
	s.worker()
	s.worker()
	for _, o := range orders {
		t.Logf("%s: %v", o.ref, statuses(s.endedOnce(ctx, o)))
	}
	s.checkIntended(ctx)
}

// checkIntended makes sure that the kill between intent and call took the way that it must: nothing
// was sent before the provider had said twice that it does not know the order.
func (s *system) checkIntended(ctx context.Context) {
	o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "kill-payout-" + string(worker.StepIntended)}, payment.Payout}
	truth, err := s.Sandbox.WaitFor(ctx, o.ref.Provider, o.ref.Order, sandbox.ChargedTimes(1))
	s.Must(err)
	if truth.Creates != 1 || truth.Queries < 2 {
		s.t.Errorf("%s: %d creates and %d queries, want 1 and at least 2", o.ref, truth.Creates, truth.Queries)
	}
	records, err := s.Log.History(ctx, o.ref)
	s.Must(err)
	begun := 0
	for _, r := range records {
		if r.Payment.Status == payment.Submitting {
			begun++
		}
	}
	// The one that was killed, the one that was sent, and between them only what is proven not to have been sent.
	if last := records[len(records)-1].Payment; last.Attempts != begun || begun < 2 {
		s.t.Errorf("%s: %d attempts were begun and %d counted, want the same, at least 2", o.ref, begun, last.Attempts)
	}
}

// Nothing may be left behind: no dead letter, and no command in the queue.
func (s *system) checkQuiet(ctx context.Context, orders []order) {
	s.t.Helper()
	deadLetters, err := s.Log.DeadLetters(ctx, 0, 10)
	s.Must(err)
	for _, deadLetter := range deadLetters {
		s.t.Errorf("dead letter: %s: %s (%s)", deadLetter.Reason, deadLetter.Detail, deadLetter.Message.Subject)
	}
	for _, o := range orders {
		if m, err := s.Log.QueuedCommand(ctx, o.ref); err == nil && events.ParkedSubject(o.ref) != m.Subject {
			s.t.Logf("%s is still queued: its acknowledgement is on the way", o.ref)
		}
	}
}
