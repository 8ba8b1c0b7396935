package faults

import (
	"context"
	"slices"
	"testing"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// teemopayKR is the test environment's account at the provider that reports single transfers.
const teemopayKR = "teemopay-kr"

// TestTransfers lets customers pay more than once and a bank give a payout back: nothing that the
// provider's records hold is lost, and nothing is counted twice.
func TestTransfers(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.Unhurried()
	s.inOrder()
	s.worker()
	ctx := within(t, timeout)
	const submitting, pending, settled = payment.Submitting, payment.Pending, payment.Settled
	for name, c := range map[string]struct {
		op     payment.Operation
		faults []sandbox.FaultName
		// taken is how many callbacks the ingress takes.
		taken     int
		last      payment.Status
		amount    int64
		transfers int
		outcomes  []payment.Status
	}{
		// The first transfer settles. What comes after it is for a person, with the sum of both.
		"two-transfers": {payment.Deposit, []sandbox.FaultName{sandbox.Multi}, 2, payment.Conflict, 20_000, 2, []payment.Status{settled, payment.Conflict}},
		// The same transfer reported twice is one.
		"told-twice": {payment.Deposit, []sandbox.FaultName{sandbox.DuplicateCallback}, 2, settled, 10_000, 1, []payment.Status{settled}},
		"two-transfers-told-twice": {payment.Deposit, []sandbox.FaultName{sandbox.Multi, sandbox.DuplicateCallback}, 4, payment.Conflict, 20_000, 2,
			[]payment.Status{settled, payment.Conflict}},
		// The answer to the create is lost, and no callback comes: the look-up sees both transfers at once.
		"seen-at-once": {payment.Deposit, []sandbox.FaultName{sandbox.EarlyCallback, sandbox.Multi, sandbox.LostCallback, sandbox.Drop}, 0, settled, 20_000, 2,
			[]payment.Status{settled}},
		// Callbacks first, and the look-up that sees the same afterwards.
		"seen-again": {payment.Deposit, []sandbox.FaultName{sandbox.EarlyCallback, sandbox.Multi, sandbox.Drop}, 2, payment.Conflict, 20_000, 2, nil},
		// Status 4 of a payout: the money came back.
		"given-back": {payment.Payout, []sandbox.FaultName{sandbox.Refund}, 2, payment.Reversed, 10_000, 0, []payment.Status{settled, payment.Reversed}},
	} {
		t.Run(name, func(t *testing.T) {
			o := order{payment.Ref{Provider: teemopayKR, Order: name}, c.op}
			var faults []sandbox.Fault
			for _, f := range c.faults {
				faults = append(faults, sandbox.Fault{Name: f})
			}
			s.Must(s.Sandbox.SetFaults(o.ref.Provider, o.ref.Order, faults...))
			s.publish(ctx, o)
			s.statement(ctx, t, o, c.taken)
			marker := order{payment.Ref{Provider: teemopayKR, Order: "after-" + name}, payment.Deposit}
			s.publish(ctx, marker) // its callback is worked after those of o
			s.settleOnce(ctx, marker)
			records := s.Until(ctx, o.ref, "ended as the records say", func(p payment.Payment) bool {
				return p.Status.Ended() && p.SettledAmount == payment.KRW(c.amount) && (p.Status == c.last || c.outcomes == nil)
			})
			last := records[len(records)-1].Payment
			if len(last.Transfers) != c.transfers {
				t.Errorf("%d transfers, want %d: %+v", len(last.Transfers), c.transfers, last.Transfers)
			}
			got := slices.DeleteFunc(statuses(records), func(st payment.Status) bool { return !st.Ended() })
			if c.outcomes != nil && !slices.Equal(got, c.outcomes) {
				t.Errorf("%v, want %v", statuses(records), c.outcomes)
			}
			if last.Attempts != 1 || !slices.Contains([]payment.Status{submitting, pending}, records[0].Payment.Status) {
				t.Errorf("sent %d times, events %v", last.Attempts, statuses(records))
			}
			s.sameTransfers(t, o, last)
		})
	}
}

// inOrder makes the worker that is started next work on one message at a time, in the order of the queue:
// what came last then shows that everything before it was worked.
func (s *system) inOrder() {
	s.t.Helper()
	s.Edit("\nworker:\n", "\nworker:\n  slots: 1\n")
}

// statement waits until the provider has moved its money and the ingress took its callbacks.
func (s *system) statement(ctx context.Context, t *testing.T, o order, taken int) {
	t.Helper()
	for _, until := range []sandbox.Condition{sandbox.Moved(1), sandbox.Acknowledged(taken)} {
		if _, err := s.Sandbox.WaitFor(ctx, o.ref.Provider, o.ref.Order, until); err != nil {
			t.Fatal(err)
		}
	}
}

// sameTransfers compares the transfers of the log with the movements of the provider's records.
func (s *system) sameTransfers(t *testing.T, o order, p payment.Payment) {
	t.Helper()
	truth, err := s.Sandbox.Order(o.ref.Provider, o.ref.Order)
	if err != nil || len(truth.Charges) != 1 {
		t.Fatalf("%s: %d charges, %v", o.ref, len(truth.Charges), err)
	}
	if o.op == payment.Payout { // the provider reports no transfers of payouts
		return
	}
	booked := map[string]int64{}
	for _, m := range truth.Movements {
		booked[m.Reference] = m.Amount
	}
	if len(booked) != len(p.Transfers) {
		t.Errorf("%s: the records have %v, the log %v", o.ref, booked, p.Transfers)
	}
	for _, r := range p.Transfers {
		if booked[r.Reference] != r.Amount.Minor {
			t.Errorf("%s: the log has transfer %s of %s, the records %v", o.ref, r.Reference, r.Amount, booked)
		}
	}
}
