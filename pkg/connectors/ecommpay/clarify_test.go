package ecommpay_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/payment"
)

func TestClarify(t *testing.T) {
	g := newGate(t, reply(200, taken))
	fields := map[string]map[string]string{"customer": {"last_name": "홍", "first_name": "길동"}, "avs_data": {"avs_post_code": "1;2"}}
	o, err := connect(t, settings(g.URL)).Clarify(testContext(t), query(payment.Deposit), fields)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, o, payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit})
	r := g.Only(t)
	signature, err := ecommpay.Sign(current, r.Body)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"general":{"project_id":200,"payment_id":"` + order + `","signature":"` + signature + `"},"additional_data":{"avs_data":{"avs_post_code":"1;2"},"customer":{"first_name":"길동","last_name":"홍"}}}`
	if r.String() != "POST /v2/payment/clarification" || string(r.Body) != want {
		t.Errorf("%s\n%s", r.String(), r.Body)
	}
}

// Whatever is refused of a clarification, the payment itself is not.
func TestClarifyIsNeverTheEndOfAPayment(t *testing.T) {
	answers := map[string]connectors.Class{gateError("3297", "홍"): connectors.Throttled, gateError("3028", ""): connectors.NotSent, "": connectors.InDoubt, `{"status":"success"}`: connectors.InDoubt}
	for _, k := range allCodes(t) {
		class := classOf(k.Code)
		if class == connectors.Rejected {
			class = connectors.NotSent
		}
		answers[gateError(k.Code, "홍 is wrong")] = class
	}
	for answer, want := range answers {
		g := newGate(t, reply(400, answer))
		_, err := connect(t, settings(g.URL)).Clarify(testContext(t), query(payment.Payout), map[string]map[string]string{"customer": {"last_name": "홍"}})
		if e := classified(t, err); e.Class != want || strings.Contains(err.Error(), "홍") {
			t.Errorf("%s: got %+v, want %v", answer, e, want)
		}
		g.Only(t)
		g.Close()
	}
}

func TestClarifyRefuses(t *testing.T) {
	c := connect(t, settings("http://127.0.0.1:1"))
	good := map[string]map[string]string{"customer": {"last_name": "Do"}}
	bad := query(payment.Deposit)
	bad.Order = "a.b"
	if _, err := c.Clarify(testContext(t), bad, good); classified(t, err).Class != connectors.NotSent || classified(t, err).Code != payment.ReasonInvalid {
		t.Errorf("got %v", err)
	}
	for _, fields := range []map[string]map[string]string{nil, {}, {"customer": nil}, {"": {"a": "b"}}, {"customer": {"": "x"}}, {"customer": {"a": strings.Repeat("x", 3000)}},
		{"customer": {"last_name": "Do;payment:status:success"}}, {"customer": {"last_name; operation : x": "Do"}}, {"a;PAYMENT:x": {"b": "c"}}} {
		if _, err := c.Clarify(testContext(t), query(payment.Deposit), fields); classified(t, err).Code != payment.ReasonInvalid {
			t.Errorf("%v: got %v", fields, err)
		}
	}
}

// banksAnswer has the form of the stored examples, with a number and a text as id.
const banksAnswer = `[{"id":771,"abbr":"KB","name":"Kookmin Bank","nativeName":"국민은행","currencies":[{"id":1,"alpha_3_4217":"KRW","number_3_4217":"410","exponent":0}]},{"id":"140","name":"Other"}]`

func TestBanks(t *testing.T) {
	at, body, status := now, banksAnswer, 200
	g := newGate(t, func(w http.ResponseWriter, r *http.Request) { reply(status, body)(w, r) })
	c := connectAt(t, settings(g.URL), func() time.Time { return at })
	want := []connectors.Bank{{Code: "771", Name: "Kookmin Bank", NativeName: "국민은행"}, {Code: "140", Name: "Other"}}
	list := func(op payment.Operation, requests int) {
		t.Helper()
		banks, err := c.Banks(testContext(t), op)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, banks, want)
		if len(g.Requests()) != requests {
			t.Errorf("%d requests, want %d", len(g.Requests()), requests)
		}
	}
	unlisted := payout()
	unlisted.Account.BankCode = "141"
	if err := c.Check(unlisted); err != nil || len(g.Requests()) != 0 { // nothing is known, and nothing is asked
		t.Errorf("got %v", err)
	}
	list(payment.Payout, 1)
	list(payment.Payout, 1)
	list(payment.Deposit, 2)
	const general = `{"general":{"project_id":200,"payment_id":"bank-list","signature":"`
	for i, op := range []string{"payout", "sale"} {
		r := g.Requests()[i]
		signature, err := ecommpay.Sign(current, r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if r.String() != "POST /v2/info/banks/korea/"+op+"/list" || string(r.Body) != general+signature+`"},"payment":{"amount":10000,"currency":"KRW"}}` {
			t.Errorf("%s\n%s", r.String(), r.Body)
		}
	}
	if err := c.Check(payout()); err != nil {
		t.Error(err)
	}
	if err := c.Check(unlisted); err == nil || !strings.HasPrefix(err.Error(), "account.bank_code") {
		t.Errorf("got %v", err)
	}
	if _, err := c.Submit(testContext(t), unlisted); classified(t, err).Class != connectors.NotSent || len(g.Requests()) != 2 {
		t.Errorf("got %v after %d requests", err, len(g.Requests()))
	}
	at = at.Add(ecommpay.DefaultBankListCache - 1)
	list(payment.Payout, 2)
	at = at.Add(1)
	if err := c.Check(unlisted); err != nil { // too old to refuse anything
		t.Errorf("got %v", err)
	}
	// An answer that cannot be used leaves the next call to ask again.
	for i, bad := range []string{``, `[]`, `{}`, `[{"name":"x"}]`, `[{"id":0}]`, `[1]`, `{"status":"error","code":"3261"}`, `[{"id":771}`} {
		body = bad
		if _, err := c.Banks(testContext(t), payment.Payout); classified(t, err).Class != connectors.InDoubt || len(g.Requests()) != 3+i {
			t.Errorf("%q: got %v after %d requests", bad, err, len(g.Requests()))
		}
	}
	body, status = banksAnswer, 500
	if _, err := c.Banks(testContext(t), payment.Payout); classified(t, err).ProviderCode != "http_500" {
		t.Errorf("got %v", err)
	}
	status = 200
	list(payment.Payout, len(g.Requests())+1)
	banks, err := c.Banks(testContext(t), payment.Payout)
	if err != nil {
		t.Fatal(err)
	}
	banks[0].Code = "changed"
	list(payment.Payout, len(g.Requests()))
	at = now // a clock that was set back
	list(payment.Payout, len(g.Requests())+1)
	if _, err := c.Banks(testContext(t), "refund"); classified(t, err).Class != connectors.NotSent {
		t.Errorf("got %v", err)
	}
}
