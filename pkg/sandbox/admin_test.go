package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/sandbox"
)

func adminOrder(t *testing.T, a answer) sandbox.Order {
	t.Helper()
	var o sandbox.Order
	if err := json.Unmarshal([]byte(a.body), &o); err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.kind, "application/json") {
		t.Fatalf("%+v: %v", a, err)
	}
	return o
}

func TestAdminDoesWhatTheGoAPIDoes(t *testing.T) {
	g := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) { a.AutoPay, a.MoveDelay = false, time.Hour })
	const base = "/admin/" + config + "/orders/"
	if a := g.admin("POST", base+"D1/faults", `[{"fault":"refuse503","times":1}]`); adminOrder(t, a).State != sandbox.Unknown {
		t.Errorf("%+v", a)
	}
	if a, b := g.deposit("D1"), g.deposit("D1"); a.status != 503 || b.code() != 200 {
		t.Errorf("%+v, %+v", a, b)
	}
	if o := adminOrder(t, g.admin("POST", base+"D1/pay", `{"amount":"300"}`)); o.Movements[0].Amount != 300 {
		t.Errorf("%+v", o)
	}
	if o := adminOrder(t, g.admin("POST", base+"D1/pay", "")); o.Movements[1].Amount != 1000 {
		t.Errorf("%+v", o)
	}
	if o := adminOrder(t, g.admin("GET", base+"D1/wait?for=acknowledged&n=2&timeout=30s", "")); len(o.Callbacks) != 2 {
		t.Errorf("%+v", o)
	}
	if o := adminOrder(t, g.admin("POST", base+"D1/fail", "")); o.State != sandbox.Failed {
		t.Errorf("%+v", o)
	}

	g.admin("POST", "/admin/"+config+"/faults", `[{"fault":"hang"}]`)
	got := hanging(t.Context(), g, "P1")
	adminOrder(t, g.admin("GET", base+"P1/wait?for=charged", ""))
	noAnswerYet(t, got)
	adminOrder(t, g.admin("POST", base+"P1/release", ""))
	if a := <-got; a.code() != 200 {
		t.Errorf("%+v", a)
	}
	adminOrder(t, g.admin("POST", base+"P1/pay", "{}"))
	if o := adminOrder(t, g.admin("POST", base+"P1/refund", "")); o.State != sandbox.Refunded {
		t.Errorf("%+v", o)
	}
	if o := adminOrder(t, g.admin("GET", base+"P1", "")); o.State != sandbox.Refunded || len(o.Movements) != 2 {
		t.Errorf("%+v", o)
	}
}

// An account that is overdrawn refuses payouts until money is put into it.
func TestFund(t *testing.T) {
	g := newRig(t, func(_ *sandbox.Options, a *sandbox.AccountConfig) { a.Balance = -5 })
	g.payout("P1")
	if truth := lastRequest(g.order("P1")); truth != `create refused "no_balance" [] 200` {
		t.Errorf("%s", truth)
	}
	if a := g.admin("POST", "/admin/"+config+"/fund", `{"amount":"1000000"}`); a.status != 200 || !strings.Contains(a.body, `"balance":"999995"`) {
		t.Errorf("%+v", a)
	}
	g.payout("P1")
	g.wait("P1", sandbox.Moved(1))
}

func TestAdminTruth(t *testing.T) {
	g := newRig(t, nil)
	g.deposit("D2")
	g.deposit("D1")
	g.wait("D1", sandbox.Moved(1))
	g.wait("D2", sandbox.Moved(1))
	g.deposit("no order!")
	var truth sandbox.Truth
	if err := json.Unmarshal([]byte(g.admin("GET", "/admin/truth", "").body), &truth); err != nil {
		t.Fatal(err)
	}
	a := truth.Accounts[0]
	if a.Provider != config || len(a.Orders) != 2 || a.Orders[0].Order != "D1" || len(a.Refused) != 1 || a.Refused[0].Reason != "field:merchantOrderNo" {
		t.Errorf("%+v", a)
	}
	var sum sandbox.Summary
	if err := json.Unmarshal([]byte(g.admin("GET", "/admin/summary", "").body), &sum); err != nil {
		t.Fatal(err)
	}
	if sum.Orders != 2 || sum.Movements != 2 || sum.Deposited != 2000 || sum.ChargedTwice == nil || sum.States[sandbox.Paid] != 2 {
		t.Errorf("%+v", sum)
	}
	if manual := g.admin("GET", "/", ""); !strings.HasPrefix(manual.kind, "text/plain") || !strings.Contains(manual.body, "/"+config) {
		t.Errorf("%+v", manual)
	}
}

func TestAdminRefuses(t *testing.T) {
	g := newRig(t, nil)
	g.deposit("D1")
	const base = "/admin/" + config
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/admin/nobody/orders/D1/pay", "", 404},
		{"GET", "/admin/nobody/orders/D1", "", 404},
		{"POST", "/admin/nobody/orders/D1/faults", "[]", 404},
		{"POST", "/admin/nobody/faults", "[]", 404},
		{"GET", "/admin/nobody/orders/D1/wait?for=seen", "", 404},
		{"POST", base + "/orders/unknown/pay", "", 404},
		{"POST", base + "/orders/unknown/fail", "", 404},
		{"POST", base + "/orders/D1/pay", `{"amount":1000}`, 400},
		{"POST", base + "/orders/D1/pay", `{"amount":"10.5"}`, 400},
		{"POST", base + "/orders/D1/pay", `{"amount":"-1"}`, 400},
		{"POST", base + "/orders/D1/pay", `{"sum":"1"}`, 400},
		{"POST", base + "/orders/D1/refund", "", 400},
		{"POST", "/admin/nobody/fund", `{"amount":"1"}`, 404},
		{"POST", base + "/fund", "", 400},
		{"POST", base + "/fund", `{"amount":"-1"}`, 400},
		{"POST", base + "/fund", `{"amount":"1000000000000001"}`, 400},
		{"POST", base + "/orders/D1/faults", `{"fault":"drop"}`, 400},
		{"POST", base + "/orders/D1/faults", `[{"fault":"nonsense"}]`, 400},
		{"POST", base + "/orders/D1/faults", `[{"fault":"lag","ms":700000}]`, 400},
		{"POST", base + "/orders/bad%20order/faults", `[]`, 400},
		{"POST", base + "/faults", `[{"fault":"nonsense"}]`, 400},
		{"GET", base + "/orders/D1/wait?for=nothing", "", 400},
		{"GET", base + "/orders/D1/wait?for=seen&n=x", "", 400},
		{"GET", base + "/orders/D1/wait?for=seen&timeout=1h", "", 400},
		{"GET", base + "/orders/D1/wait?for=seen&n=9&timeout=1ms", "", 504},
		{"GET", "/nobody/api/pay/payment/create/v1", "", 404},
		{"GET", base + "/orders/D1/pay", "", 404},
	} {
		if a := g.admin(c.method, c.path, c.body); a.status != c.status {
			t.Errorf("%s %s %s: %+v", c.method, c.path, c.body, a)
		}
	}
}
