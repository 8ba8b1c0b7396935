package faults

import (
	"context"
	"fmt"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// The provider pays and never calls back, not even for what two workers have in their hands while one of them
// is killed.
func TestACallbackThatNeverComes(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := within(t, timeout)
	s.Unhurried()
	s.EditProvider(testenv.TeemoPay, "basic_time: 7s\nthreshold: 1m")
	doomed := s.worker()
	s.worker()
	var orders []order
	for n, op := range []payment.Operation{payment.Deposit, payment.Payout, payment.Deposit, payment.Payout} {
		orders = append(orders, order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("quiet-%d-x-lost-callback", n)}, op})
		s.publish(ctx, orders[n])
	}
	for _, o := range orders { // on a machine that stood still one may have ended already
		s.Until(ctx, o.ref, "pending", func(p payment.Payment) bool { return p.Status == payment.Pending || p.Status.Ended() })
	}
	doomed.Kill()
	for _, o := range orders {
		records := s.endedOnce(ctx, o)
		last := records[len(records)-1].Payment
		if age := last.UpdatedAt.Sub(last.SubmittedAt); age < 7*time.Second {
			t.Errorf("%s: ended after %s", o.ref, age)
		}
	}
}

// The customer never pays, for longer than the threshold: a person is alerted, nothing is assumed, and when the
// customer pays after all, that is the outcome.
func TestAPaymentBeyondItsThreshold(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := within(t, timeout)
	s.Unhurried()
	s.EditProvider(unpaid, "basic_time: 7s\nthreshold: 10s")
	o := order{payment.Ref{Provider: unpaid, Order: "late-1"}, payment.Deposit}
	s.publish(ctx, o)
	s.worker()
	s.worker()
	overdue := func(p payment.Payment) bool { return !p.OverdueAt.IsZero() }
	records := s.Until(ctx, o.ref, "overdue", overdue)
	first := records[len(records)-1].Payment
	if first.Status != payment.Pending || first.Reason == nil || first.Reason.Code != payment.ReasonOverdue || first.Action == nil || len(records) != 3 {
		t.Errorf("%v, the last is %+v", statuses(records), first)
	}
	if age := first.OverdueAt.Sub(first.SubmittedAt); age < 10*time.Second {
		t.Errorf("overdue after %s", age)
	}
	records = s.Until(ctx, o.ref, "overdue again", func(p payment.Payment) bool { return p.OverdueAt.After(first.OverdueAt) })
	again := records[len(records)-1].Payment
	if pause := again.OverdueAt.Sub(first.OverdueAt); len(records) != 4 || pause < 10*time.Second {
		t.Errorf("%v, the last %s after the one before", statuses(records), pause)
	}
	s.Must(s.Sandbox.Pay(o.ref.Provider, o.ref.Order, 0))
	s.settleOnce(ctx, o)
}

// While the provider is closed it is not asked, whatever was sent to it.
func TestAClosedProviderIsAskedWhenItOpens(t *testing.T) {
	t.Parallel()
	s := start(t)
	o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "night-x-lost-callback"}, payment.Deposit}
	s.publish(t.Context(), o)
	opens := time.Now().UTC().Add(20*time.Second + time.Minute).Truncate(time.Minute) // hours have whole minutes
	ctx, cancel := context.WithDeadline(t.Context(), opens.Add(timeout))
	defer cancel()
	// The day goes on after midnight, and begins one minute late.
	closed := opens.Add(-time.Minute)
	s.Unhurried()
	s.EditProvider(testenv.TeemoPay, fmt.Sprintf("basic_time: 7s\nthreshold: 1m\nhours:\n  zone: \"+00:00\"\n  days: mon-sun\n  hours: \"%s-%s\"\n  when_closed: {deposit: send}",
		opens.Format("15:04"), closed.Add(-time.Minute).Format("15:04")))
	s.worker()
	s.endedOnce(ctx, o)
	truth, err := s.Sandbox.Order(o.ref.Provider, o.ref.Order)
	s.Must(err)
	asked := 0
	for _, r := range truth.Requests {
		if r.Action == sandbox.ActionQuery {
			asked++
			if r.At.Before(opens.Add(7 * time.Second)) {
				t.Errorf("asked at %s, it opens at %s", r.At, opens)
			}
		} else if !r.At.Before(opens) {
			t.Errorf("sent at %s: the machine is so slow that the provider was open", r.At)
		}
	}
	if asked == 0 {
		t.Error("nobody asked")
	}
}
