package ecommpay

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/sandbox"
)

type change = map[string]any

// with returns a copy of an object with some fields replaced; nil removes one.
func with(o any, more change) change {
	copied := change{}
	for name, value := range o.(change) {
		copied[name] = value
	}
	for name, value := range more {
		if copied[name] = value; value == nil {
			delete(copied, name)
		}
	}
	return copied
}

func TestRefusals(t *testing.T) {
	s := newStand(t, func(settings *Settings, a *sandbox.AccountConfig) {
		settings.RefuseLimits, settings.MaxPayout, a.Balance = true, 50_000, 40_000
	})
	plain := sale("D1", nil)
	customer, payment, pays := plain["customer"], plain["payment"], payoutOf("P1", nil)
	in := func(name string, object any, more change) change { return change{name: with(object, more)} }
	for _, c := range []struct {
		name    string
		path    string
		content change
		code    string
		field   string
	}{
		{"no amount", salePath, sale("D1", in("payment", payment, change{"amount": nil})), "2004", "payment.amount"},
		{"no currency", salePath, sale("D1", in("payment", payment, change{"currency": nil})), "2004", "payment.currency"},
		{"dollars", salePath, sale("D1", in("payment", payment, change{"currency": "USD"})), "3121", "payment.currency"},
		{"text as amount", salePath, sale("D1", in("payment", payment, change{"amount": "10000"})), "502", "payment.amount"},
		{"fraction", salePath, sale("D1", in("payment", payment, change{"amount": 10000.5})), "502", "payment.amount"},
		{"zero", salePath, sale("D1", in("payment", payment, change{"amount": 0})), "502", "payment.amount"},
		{"too little", salePath, sale("D1", in("payment", payment, change{"amount": 9999})), "3358", "payment.amount"},
		{"too much", salePath, sale("D1", in("payment", payment, change{"amount": 30000001})), "2642", "payment.amount"},
		{"no customer", salePath, sale("D1", in("customer", customer, change{"id": nil})), "2004", "customer.id"},
		{"no IP", salePath, sale("D1", in("customer", customer, change{"ip_address": nil})), "2004", "customer.ip_address"},
		{"bad IP", salePath, sale("D1", in("customer", customer, change{"ip_address": "home"})), "502", "customer.ip_address"},
		{"bad e-mail", salePath, sale("D1", in("customer", customer, change{"email": "nobody"})), "2426", "customer.email"},
		{"no e-mail", salePath, sale("D1", in("customer", customer, change{"email": nil})), "2004", "customer.email"},
		{"no return", salePath, sale("D1", change{"return_url": change{}}), "2004", "return_url.success"},
		{"bad return", salePath, sale("D1", change{"return_url": change{"success": "x", "decline": "y"}}), "502", "return_url.success"},
		{"bad callback", salePath, sale("D1", in("general", plain["general"], change{"merchant_callback_url": "ftp://x"})), "502", "general.merchant_callback_url"},
		{"bad number", salePath, sale("D 1", nil), "3024", "general.payment_id"},
		{"no number", salePath, sale("", nil), "2004", "general.payment_id"},
		{"status without number", statusPath, general(""), "2004", "general.payment_id"},
		{"status without request", "/v2/payment/status/request", change{"project_id": 200}, "2004", "request_id"},
		{"no bank", payoutPath, payoutOf("P1", in("account", pays["account"], change{"bank_id": nil})), "3244", "account.bank_id"},
		{"unknown bank", payoutPath, payoutOf("P1", in("account", pays["account"], change{"bank_id": 140})), "2801", "account.bank_id"},
		{"no account", payoutPath, payoutOf("P1", in("account", pays["account"], change{"number": nil})), "2004", "account.number"},
		{"bad account", payoutPath, payoutOf("P1", in("account", pays["account"], change{"number": "abcdef"})), "502", "account.number"},
		{"no holder", payoutPath, payoutOf("P1", in("account", pays["account"], change{"customer_name": nil})), "2004", "account.customer_name"},
		{"large payout", payoutPath, payoutOf("P1", in("payment", payment, change{"amount": 50001})), "2642", "payment.amount"},
		{"balance", payoutPath, payoutOf("P1", in("payment", payment, change{"amount": 40001})), "3028", ""},
		{"clarification without data", clarificationPath, general("D1"), "2004", "additional_data.customer"},
		{"clarification without number", clarificationPath, general(""), "2004", "general.payment_id"},
		{"clarification of nothing", clarificationPath, with(general("D1"), change{"additional_data": change{"customer": change{"last_name": "Do"}}}), "3061", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, answer := s.post(c.path, c.content)
			if status != http.StatusBadRequest || field(answer, "code") != c.code || field(answer, "message") != messages[c.code] ||
				!strings.Contains(answer, `"field":"`+c.field+`"`) && c.field != "" {
				t.Errorf("%d %s", status, answer)
			}
			for _, o := range []sandbox.Order{s.order("D1"), s.order("P1")} {
				if len(o.Charges) != 0 {
					t.Errorf("accepted: %+v", o)
				}
			}
		})
	}
	s.taken(salePath, sale("D1", nil))
	status, answer := s.post(payoutPath, payoutOf("D1", nil))
	same(t, "duplicate", answer, `{"status":"error","code":"3041","message":"Payment ID already exists","errors":[{"code":"3041","message":"Payment ID already exists","field":"general.payment_id","description":"Payment ID already exists: general.payment_id"}],"project_id":200,"payment_id":"D1"}`)
	if status != 400 {
		t.Error(status)
	}
	s.refusedAs("D1", "duplicate")
}

func TestAuthentication(t *testing.T) {
	s := newStand(t, nil)
	right, err := SignedRequest(secret, sale("D1", nil))
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := SignedRequest("sandbox-other", sale("D1", nil))
	if err != nil {
		t.Fatal(err)
	}
	unsigned := signaturePart.ReplaceAll(right, []byte(`"x":"y"`))
	for _, c := range []struct {
		name   string
		body   []byte
		status int
		code   string
		reason string
	}{
		{"foreign", foreign, 401, "3261", ReasonSignature},
		{"changed", bytes.Replace(right, []byte("10000"), []byte("10001"), 1), 401, "3261", ReasonSignature},
		{"unsigned", unsigned, 401, "3262", ReasonNoSignature},
		{"project", bytes.Replace(right, []byte(`"project_id":200`), []byte(`"project_id":201`), 1), 400, "2442", ReasonProject},
	} {
		status, answer, err := s.send(salePath, c.body)
		if err != nil || status != c.status || field(answer, "code") != c.code || field(answer, "status") != "error" {
			t.Errorf("%s: %v %d %s", c.name, err, status, answer)
		}
		s.refusedAs("D1", c.reason)
	}
	for name, body := range map[string]string{"no JSON": "{", "list": "[]", "two": "{}{}", "large": strings.Repeat(" ", 64<<10+1) + "{}"} {
		if status, answer, err := s.send(salePath, []byte(body)); err != nil || status != 400 || field(answer, "code") != "2003" {
			t.Errorf("%s: %v %d %s", name, err, status, answer)
		}
	}
	if status, answer, err := s.send(salePath, right); err != nil || status != 200 || !isSuccess(answer) {
		t.Errorf("%v %d %s", err, status, answer)
	}
	if status, _, _ := s.send("/v2/payment/banks/korea/other", right); status != http.StatusNotFound {
		t.Errorf("another path: %d", status)
	}
	response, err := s.client.Get(s.url + salePath)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", response.StatusCode)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for name, bad := range map[string]Settings{
		"project": {Secret: secret}, "secret": {ProjectID: 1}, "minimum": {ProjectID: 1, Secret: secret, MinDeposit: -1},
		"limits": {ProjectID: 1, Secret: secret, MinPayout: 2, MaxPayout: 1}, "timeout": {ProjectID: 1, Secret: secret, Timeout: -1},
	} {
		if _, err := New(bad); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
