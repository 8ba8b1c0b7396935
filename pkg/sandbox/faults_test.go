package sandbox_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

// TestCreateFaults plays each fault that acts on one create request, and reads both sides: what the
// merchant sees, and what is true.
func TestCreateFaults(t *testing.T) {
	for _, c := range []struct {
		order   string
		op      sandbox.Operation
		dropped bool
		status  int
		code    int
		body    string // in the answer
		truth   string
		charges int
	}{
		{"plain", sandbox.Deposit, false, 200, 200, `"status":1`, `create accepted "" [] 200`, 1},
		{"D1-x-drop-7", sandbox.Deposit, true, 0, 0, "", `create accepted "" [drop] 0`, 1},
		{"D1-x-error500-7", sandbox.Deposit, false, 500, 0, "Internal Server Error", `create accepted "" [error500] 500`, 1},
		{"D1-x-garbage", sandbox.Deposit, false, 200, 0, "<html>", `create accepted "" [garbage] 200`, 1},
		{"D1-x-refuse503", sandbox.Deposit, false, 503, 0, "Service Unavailable", `create refused "refuse503" [refuse503] 503`, 0},
		{"D1-x-blackhole", sandbox.Deposit, true, 0, 0, "", `create refused "blackhole" [blackhole] 0`, 0},
		{"D1-x-decline", sandbox.Deposit, false, 200, 414, "declined", `create refused "declined" [decline] 200`, 0},
		{"D1-x-channel", sandbox.Deposit, false, 200, 200, `"status":3,"errorMsg":"Unstable network, kindly retry later."`, `create accepted "" [channel] 200`, 1},
		{"P1-x-channel", sandbox.Payout, false, 200, 200, `"status":3`, `create accepted "" [channel] 200`, 1},
		{"D1-x-wrong-amount", sandbox.Deposit, false, 200, 200, `"amount":"1001.00"`, `create accepted "" [] 200`, 1},
		{"P1-x-drop", sandbox.Payout, true, 0, 0, "", `create accepted "" [drop] 0`, 1},
		{"x-slow-x-drop", sandbox.Deposit, true, 0, 0, "", `create accepted "" [slow drop] 0`, 1},
	} {
		t.Run(c.order, func(t *testing.T) {
			g := newRig(t, func(o *sandbox.Options, a *sandbox.AccountConfig) {
				a.AutoPay, a.MoveDelay = false, time.Hour
				o.Wait = func(ctx context.Context, d time.Duration) error {
					if d == 2*time.Second { // slow
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				}
			})
			got := g.create(c.op, c.order)
			if (got.err != nil) != c.dropped || got.status != c.status || got.code() != c.code || !strings.Contains(got.body, c.body) {
				t.Errorf("the merchant got %+v", got)
			}
			o := g.order(c.order)
			if truth := lastRequest(o); truth != c.truth || len(o.Charges) != c.charges || len(o.Movements) != 0 {
				t.Errorf("the truth is %s with %d charges and %d movements", truth, len(o.Charges), len(o.Movements))
			}
		})
	}
}

func TestFaultActsOnlySoOften(t *testing.T) {
	g := newRig(t, nil)
	const order = "D1-x-refuse503_2-7"
	for n, want := range []int{503, 503, 200} {
		if got := g.deposit(order); got.status != want {
			t.Errorf("answer %d is %+v", n+1, got)
		}
	}
	if o := g.order(order); len(o.Charges) != 1 || o.Creates != 3 {
		t.Errorf("%d charges, %d creates", len(o.Charges), o.Creates)
	}
}

func TestDuplicateIsRefusedAndFaultsLeaveItAlone(t *testing.T) {
	g := newRig(t, nil)
	const order = "D1-x-drop-7"
	if got := g.deposit(order); got.err == nil {
		t.Fatalf("got %+v", got)
	}
	for _, op := range []sandbox.Operation{sandbox.Deposit, sandbox.Payout} {
		if got := g.create(op, order); got.code() != 426 || !strings.Contains(got.body, `"data":null`) || !strings.Contains(got.body, `"msg":"merchant order duplicate"`) {
			t.Errorf("%s: %+v", op, got)
		}
	}
	o := g.wait(order, sandbox.Moved(1))
	if truth := lastRequest(o); len(o.Charges) != 1 || truth != `create refused "duplicate" [] 200` {
		t.Errorf("%d charges, last %s", len(o.Charges), truth)
	}
	if sum := g.box.Truth().Summary(); sum.Charges != 1 || len(sum.ChargedTwice) != 0 {
		t.Errorf("%+v", sum)
	}
}

func TestAcceptDuplicatesChargesTwice(t *testing.T) {
	for _, op := range []sandbox.Operation{sandbox.Deposit, sandbox.Payout} {
		g := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) {
			a.Faults = []sandbox.Fault{{Name: sandbox.AcceptDuplicates}}
		})
		first, second := g.create(op, "o1"), g.create(op, "o1")
		if first.code() != 200 || second.code() != 200 || first.data()["tradeNo"] == second.data()["tradeNo"] {
			t.Errorf("%+v, %+v", first, second)
		}
		g.create(op, "o2")
		o := g.wait("o1", sandbox.Moved(2))
		if o.Movements[0].Charge == o.Movements[1].Charge || o.Movements[0].Reference == o.Movements[1].Reference {
			t.Errorf("the movements are not separate: %+v", o.Movements)
		}
		g.wait("o2", sandbox.Moved(1))
		sum := g.box.Truth().Summary()
		if sum.Orders != 2 || sum.Charges != 3 || sum.Movements != 3 || len(sum.ChargedTwice) != 1 || sum.ChargedTwice[0] != config+"/o1" {
			t.Errorf("%+v", sum)
		}
		if sum.Deposited+sum.PaidOut != 3000 {
			t.Errorf("%+v", sum)
		}
	}
}

func TestSlowAcceptsWhenNobodyWaitsAnyMore(t *testing.T) {
	entered, gate := make(chan struct{}), make(chan struct{})
	g := newRig(t, func(o *sandbox.Options, a *sandbox.AccountConfig) {
		a.AutoPay = false
		o.Wait = func(ctx context.Context, d time.Duration) error {
			if d != 777*time.Millisecond {
				t.Errorf("waits %s", d)
			}
			close(entered)
			select {
			case <-gate:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	if err := g.box.SetFaults(config, "o1", sandbox.Fault{Name: sandbox.Slow, Millis: 777}); err != nil {
		t.Fatal(err)
	}
	ctx, hangUp := context.WithCancel(t.Context())
	got := make(chan answer, 1)
	go func() { got <- g.post(ctx, "/api/pay/payment/create/v1", depositOf("o1")) }()
	<-entered
	if o := g.order("o1"); len(o.Charges) != 0 {
		t.Error("accepted before the wait")
	}
	hangUp()
	if a := <-got; a.err == nil {
		t.Errorf("got %+v", a)
	}
	close(gate)
	g.wait("o1", sandbox.ChargedTimes(1))
}

// hanging sends a create in the background.
func hanging(ctx context.Context, g *rig, order string) <-chan answer {
	got := make(chan answer, 1)
	go func() { got <- g.post(ctx, "/api/pay/payout/create/v1", payoutOf(order)) }()
	return got
}

func noAnswerYet(t *testing.T, got <-chan answer) {
	t.Helper()
	select {
	case a := <-got:
		t.Fatalf("answered too early: %+v", a)
	default:
	}
}

func TestHangHoldsTheAnswerOfAnAcceptedOrder(t *testing.T) {
	g := newRig(t, nil)
	const order = "P1-x-hang-7"
	got := hanging(t.Context(), g, order)
	o := g.wait(order, func(o sandbox.Order) bool { return held(o) && sandbox.Acknowledged(1)(o) }) // money moves meanwhile
	noAnswerYet(t, got)
	if truth := lastRequest(o); truth != `create received "" [hang] 0` || len(o.Charges) != 1 || o.State != sandbox.Paid {
		t.Errorf("%s, %+v", truth, o)
	}
	if err := g.box.Release(config, order); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.code() != 200 {
		t.Errorf("got %+v", a)
	}
}

func TestHangBeforeAcceptsOnlyWhenReleased(t *testing.T) {
	g := newRig(t, nil)
	const kept, left, early = "P1-x-hang-before-1", "P1-x-hang-before-2", "P1-x-hang-before-3"
	got := hanging(t.Context(), g, kept)
	if o := g.wait(kept, held); len(o.Charges) != 0 || o.State != sandbox.Unknown {
		t.Errorf("%+v", o)
	}
	noAnswerYet(t, got)
	if a := g.query(sandbox.Payout, kept); a.code() != 400 {
		t.Errorf("query says %+v", a)
	}
	if err := g.box.Release(config, kept); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.code() != 200 {
		t.Errorf("got %+v", a)
	}

	ctx, hangUp := context.WithCancel(t.Context())
	got = hanging(ctx, g, left)
	g.wait(left, held)
	hangUp()
	<-got
	o := g.wait(left, func(o sandbox.Order) bool { return o.Requests[0].Outcome != sandbox.Received })
	if truth := lastRequest(o); truth != `create refused "hang-before" [hang-before] 0` || len(o.Charges) != 0 {
		t.Errorf("%s", truth)
	}

	if err := g.box.Release(config, early); err != nil { // before the request
		t.Fatal(err)
	}
	if a := g.payout(early); a.code() != 200 {
		t.Errorf("got %+v", a)
	}
}

// held waits until a fault holds the request.
func held(o sandbox.Order) bool { return len(o.Requests) > 0 && len(o.Requests[0].Faults) > 0 }

func TestEarlyCallbackComesBeforeTheAnswer(t *testing.T) {
	for _, op := range []sandbox.Operation{sandbox.Deposit, sandbox.Payout} {
		called, gate := make(chan struct{}), make(chan struct{})
		g := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) { a.AutoPay, a.MoveDelay = false, time.Hour })
		g.merchant.answer = func(_ int, w http.ResponseWriter) {
			close(called)
			<-gate
			_, _ = w.Write([]byte("SUCCESS"))
		}
		got := make(chan answer, 1)
		go func() { got <- g.create(op, "D1-x-early-callback-7") }()
		<-called
		noAnswerYet(t, got)
		close(gate)
		if a := <-got; a.code() != 200 || a.data()["status"] != 1.0 {
			t.Errorf("got %+v", a)
		}
		if o := g.order("D1-x-early-callback-7"); o.State != sandbox.Paid || o.Callbacks[0].Acknowledged != 1 {
			t.Errorf("%+v", o)
		}
	}
}

func TestLagHidesANewOrder(t *testing.T) {
	var mu sync.Mutex
	var ahead time.Duration
	g := newRig(t, func(o *sandbox.Options, a *sandbox.AccountConfig) {
		a.AutoPay, a.MoveDelay = false, time.Hour
		o.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(ahead)
		}
	})
	faults := []sandbox.Fault{{Name: sandbox.Lag, Millis: 20_000}}
	for order, op := range map[string]sandbox.Operation{"d": sandbox.Deposit, "p": sandbox.Payout} {
		if err := g.box.SetFaults(config, order, faults...); err != nil {
			t.Fatal(err)
		}
		g.create(op, order)
	}
	if d, p := g.query(sandbox.Deposit, "d"), g.query(sandbox.Payout, "p"); d.code() != 434 || p.code() != 400 {
		t.Errorf("%+v, %+v", d, p)
	}
	mu.Lock()
	ahead = 20 * time.Second
	mu.Unlock()
	if d, p := g.query(sandbox.Deposit, "d"), g.query(sandbox.Payout, "p"); d.code() != 200 || p.code() != 200 {
		t.Errorf("%+v, %+v", d, p)
	}
	if truth := lastRequest(g.order("d")); truth != `query answered "" [] 200` {
		t.Error(truth)
	}
}

func TestQuery503(t *testing.T) {
	g := newRig(t, nil)
	g.deposit("D1-x-query503_1")
	if a, b := g.query(sandbox.Deposit, "D1-x-query503_1"), g.query(sandbox.Deposit, "D1-x-query503_1"); a.status != 503 || b.code() != 200 {
		t.Errorf("%+v, %+v", a, b)
	}
}

func TestMoneyFaults(t *testing.T) {
	g := newRig(t, nil)
	g.deposit("D1-x-multi")
	o := g.wait("D1-x-multi", sandbox.Acknowledged(2))
	if len(o.Charges) != 1 || len(o.Movements) != 2 || o.Movements[0].Reference == o.Movements[1].Reference {
		t.Errorf("multi: %+v", o)
	}
	if a := g.query(sandbox.Deposit, "D1-x-multi"); a.data()["amount"] != "2000.00" || a.data()["transactionAmount"] != "1000.00" || strings.Count(a.body, `"paymentSingleOrderNo"`) != 2 {
		t.Errorf("multi: %s", a.body)
	}

	g.payout("P1-x-refund")
	o = g.wait("P1-x-refund", sandbox.Acknowledged(2))
	if o.State != sandbox.Refunded || o.Callbacks[0].State != sandbox.Paid || o.Callbacks[1].State != sandbox.Refunded {
		t.Errorf("refund: %+v", o)
	}
	if a := g.query(sandbox.Payout, "P1-x-refund"); a.data()["status"] != 4.0 || a.data()["errorCode"] != 1016.0 {
		t.Errorf("refund: %s", a.body)
	}

	if a := g.payout("P1-x-decline"); a.data()["status"] != 1.0 {
		t.Errorf("decline: %s", a.body)
	}
	o = g.wait("P1-x-decline", sandbox.Acknowledged(1))
	if o.State != sandbox.Failed || len(o.Movements) != 0 {
		t.Errorf("decline: %+v", o)
	}
	if a := g.query(sandbox.Payout, "P1-x-decline"); a.data()["status"] != 3.0 || a.data()["errorCode"] != 1000.0 {
		t.Errorf("decline: %s", a.body)
	}
	sum := g.box.Truth().Summary()
	if sum.Deposited != 2000 || sum.PaidOut != 0 || sum.Movements != 4 || sum.States[sandbox.Failed] != 1 {
		t.Errorf("%+v", sum)
	}
}

func TestWrongAmountEverywhere(t *testing.T) {
	g := newRig(t, nil)
	for order, op := range map[string]sandbox.Operation{"d": sandbox.Deposit, "p": sandbox.Payout} {
		if err := g.box.SetFaults(config, order, sandbox.Fault{Name: sandbox.WrongAmount, Amount: 7}); err != nil {
			t.Fatal(err)
		}
		if a := g.create(op, order); a.data()["amount"] != "7.00" {
			t.Errorf("%s: %s", op, a.body)
		}
		if o := g.wait(order, sandbox.Acknowledged(1)); o.Movements[0].Amount != 1000 || o.Charges[0].Amount != 1000 {
			t.Errorf("the truth is wrong too: %+v", o)
		}
	}
	if a := g.query(sandbox.Deposit, "d"); a.data()["transactionAmount"] != "7.00" || a.data()["amount"] != "1000.00" {
		t.Error(a.body)
	}
	if a := g.query(sandbox.Payout, "p"); a.data()["amount"] != "7.00" {
		t.Error(a.body)
	}
	told := false
	for _, c := range g.merchant.received() {
		told = told || strings.Contains(string(c.body), `"merchantOrderNo":"p"`) && strings.Contains(string(c.body), `"amount":"7.00"`)
	}
	if !told {
		t.Error("the payout's callback has the right amount")
	}
}
