package sandbox_test

import (
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

func TestOtherAmount(t *testing.T) {
	g := newRig(t, nil)
	for order, c := range map[string]struct {
		fault sandbox.Fault
		paid  int64
	}{
		"d1": {sandbox.Fault{Name: sandbox.OtherAmount}, 999},
		"d2": {sandbox.Fault{Name: sandbox.OtherAmount, Amount: 7}, 7},
		"p1": {sandbox.Fault{Name: sandbox.OtherAmount}, 1000}, // a payout is paid in full
	} {
		if err := g.box.SetFaults(config, order, c.fault); err != nil {
			t.Fatal(err)
		}
		op := sandbox.Deposit
		if order == "p1" {
			op = sandbox.Payout
		}
		g.create(op, order)
		if o := g.wait(order, sandbox.Acknowledged(1)); o.Movements[0].Amount != c.paid || o.Charges[0].Amount != 1000 {
			t.Errorf("%s: %+v", order, o)
		}
	}
	one := depositOf("d3")
	one["amount"] = "1"
	if err := g.box.SetFaults(config, "d3", sandbox.Fault{Name: sandbox.OtherAmount}); err != nil {
		t.Fatal(err)
	}
	g.post(t.Context(), "/api/pay/payment/create/v1", one)
	if o := g.wait("d3", sandbox.Moved(1)); o.Movements[0].Amount != 2 {
		t.Errorf("%+v", o)
	}
	if sum := g.box.Truth().Summary(); sum.Currencies["KRW"] != (sandbox.Sums{Deposited: 1008, PaidOut: 1000}) {
		t.Errorf("%+v", sum)
	}
}

// TestHoursHoldProcessingAndCallbacks closes the provider for good: Wait ends only with the sandbox.
func TestHoursHoldProcessingAndCallbacks(t *testing.T) {
	g := newRig(t, func(o *sandbox.Options, a *sandbox.AccountConfig) {
		at := time.Now()
		next := at.UTC().AddDate(0, 0, 3).Weekday()
		a.Hours = sandbox.Hours{Zone: time.UTC, Days: []time.Weekday{next}, To: 24 * time.Hour}
	})
	if a := g.payout("P1"); a.code() != 200 {
		t.Fatal(a)
	}
	if a := g.payout("P2-x-early-callback"); a.code() != 200 {
		t.Fatal(a)
	}
	if err := g.box.Pay(config, "P1", 0); err != nil { // by hand the money moves
		t.Fatal(err)
	}
	g.box.Close() // whatever would happen has happened
	one, two := g.order("P1"), g.order("P2-x-early-callback")
	if one.State != sandbox.Paid || len(one.Callbacks[0].Deliveries) != 0 || two.State != sandbox.Pending || len(two.Charges) != 1 {
		t.Errorf("%+v, %+v", one, two)
	}
	if len(g.merchant.received()) != 0 {
		t.Error("told while closed")
	}
}

func TestProvidersWithoutStagesIgnoreClarification(t *testing.T) {
	g := newRig(t, nil)
	g.deposit("D1-x-clarification")
	if o := g.wait("D1-x-clarification", sandbox.Acknowledged(1)); o.State != sandbox.Paid || len(o.Callbacks) != 1 {
		t.Errorf("%+v", o)
	}
	if err := g.box.AskClarification(config, "D1-x-clarification"); err == nil {
		t.Error("asked about a paid order")
	}
}
