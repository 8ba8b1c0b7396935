package ecommpay_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/payment"
)

// example returns a callback, or a part of one, letter by letter as ECommPay's Korean banks page has it.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "korean-banks", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fixed puts in place what the page's example left out, and fails when there is nothing to put in place.
func fixed(t *testing.T, text, old, with string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in\n%s", old, strings.Count(text, old), text)
	}
	return strings.Replace(text, old, with, 1)
}

var printedSignature = regexp.MustCompile(`"signature": "[^"]*"`)

// signLike signs whole and puts the signature into text, in place of the one that is printed there.
func signLike(t *testing.T, whole, text string) string {
	t.Helper()
	signature, err := ecommpay.Sign(current, []byte(whole))
	if err != nil {
		t.Fatalf("%v: %s", err, whole)
	}
	return printedSignature.ReplaceAllLiteralString(text, `"signature": "`+signature+`"`)
}

// TestExamplesOfTheDocument: each callback of the page is read. Where the page's text is no JSON (a comma or a brace is
// missing), that text is refused, with the place in the reason, and the fixed one is read.
func TestExamplesOfTheDocument(t *testing.T) {
	comma := func(t *testing.T, text string) string {
		return fixed(t, text, "        }\n        \"operation\"", "        },\n        \"operation\"")
	}
	brace := func(_ *testing.T, text string) string { return "{" + text }
	asIs := func(_ *testing.T, text string) string { return text }
	for _, k := range []struct {
		name, ended, order, number, code, message string
		project                                   int64
		amount                                    int64
		operation                                 payment.Operation
		fix                                       func(*testing.T, string) string
		broken                                    string // where the page's text stops being JSON
	}{
		{"page-success", "2019-10-16T09:41:26Z", order, "1737000008461", "", "", 200, 10000, payment.Deposit, asIs, ""},
		{"page-decline", "2019-10-17T10:38:03Z", "TEST_157130660960567", "15589000008586", "603", "Auto decline", 200, 1500, payment.Deposit, asIs, ""},
		{"page-direct-success", "2020-04-01T11:18:58Z", "1234567890_0007", "39", "", "", 1840, 10000, payment.Deposit, comma, "after line 18, byte 8"},
		{"page-direct-decline", "2020-04-01T11:18:58Z", "1234567890_0008", "39", "20000", "General decline", 1840, 10000, payment.Deposit, comma, "after line 18, byte 8"},
		{"gate-redirect-success", "2019-10-16T09:41:26Z", order, "1737000008461", "", "", 200, 10000, payment.Deposit, asIs, ""},
		{"gate-redirect-decline", "2019-10-17T10:38:03Z", "TEST_157130660960567", "15589000008586", "603", "Auto decline", 200, 1000, payment.Deposit, asIs, ""},
		{"gate-success", "2020-04-01T11:18:58Z", "1234567890_0007", "39", "", "", 1840, 10000, payment.Deposit, comma, "after line 18, byte 8"},
		{"gate-decline", "2020-04-01T11:18:58Z", "1234567890_0008", "39", "20000", "General decline", 1840, 10000, payment.Deposit, comma, "after line 18, byte 8"},
		{"payout-success", "2019-10-17T10:10:06Z", "TEST_22153483503277312", "6042000008706", "", "", 200, 10000, payment.Payout, brace, "after line 1, byte 13"},
		{"payout-decline", "2019-10-21T11:38:58Z", "Test_8998465_001", "1167000009526", "20000", "General decline", 200, 1000, payment.Payout, asIs, ""},
	} {
		t.Run(k.name, func(t *testing.T) {
			s := settings("https://api.example.com")
			s.ProjectID = k.project
			c := connect(t, s)
			printed := example(t, k.name)
			whole := k.fix(t, printed)
			if json.Valid([]byte(printed)) != (k.broken == "") || !json.Valid([]byte(whole)) {
				t.Fatalf("not the text of the page, or not fixed:\n%s", whole)
			}
			n, err := c.Webhook(nil, []byte(signLike(t, whole, whole)), now)
			if err != nil {
				t.Fatal(err)
			}
			ended, err := time.Parse(time.RFC3339, k.ended)
			if err != nil {
				t.Fatal(err)
			}
			want := payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook, Reference: k.number, Amount: payment.KRW(k.amount), Report: payment.Report{CompletedAt: ended}}
			if k.code != "" {
				want.Kind, want.Reason = payment.Declined, &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: k.code, Message: k.message}
			}
			mustEqual(t, n, connectors.Notice{Order: k.order, Operation: k.operation, Observation: want, Answer: connectors.Answer{ContentType: "text/plain", Body: "OK"}})
			// The signature that is printed is cut short.
			_, err = c.Webhook(nil, []byte(whole), now)
			refused(t, err, connectors.BadSignature)
			if k.broken == "" {
				return
			}
			_, err = c.Webhook(nil, []byte(signLike(t, whole, printed)), now)
			refused(t, err, connectors.BadSignature)
			var e *connectors.WebhookError
			if !errors.As(err, &e) || !strings.Contains(e.Problem, "not one JSON value") || !strings.Contains(e.Problem, k.broken) {
				t.Errorf("the reason is %v, want %q", err, k.broken)
			}
		})
	}
}

// TestFragmentsOfTheDocument: what the page shows of a callback, inside a callback of its own form.
func TestFragmentsOfTheDocument(t *testing.T) {
	c := connect(t, settings("https://api.example.com"))
	with := func(fragment string) string {
		body := callback("purchase", "awaiting customer", "sale", "awaiting customer", "9999", strings.TrimSuffix(strings.TrimSpace(fragment), ","))
		return body[:len(body)-1] + `,"signature": "x"}`
	}
	printed := example(t, "redirect-data") // it has a comma after the last field of the form
	whole := with(fixed(t, printed, "\"TEST_1571044062268\",\n", "\"TEST_1571044062268\"\n"))
	n, err := c.Webhook(nil, []byte(signLike(t, whole, whole)), now)
	if err != nil || n.Observation.Action == nil || n.Observation.Action.Redirect == nil {
		t.Fatalf("got %+v, %v", n, err)
	}
	mustEqual(t, n.Observation.Action.Redirect, &payment.Redirect{Method: "POST", URL: "https://secure.awepay.com/", Fields: map[string]string{
		"sid": "2553", "tid": "1737000008461", "amount": "10000", "currency": "KRW", "payby": "p2p", "item_quantity[]": "1", "item_name[]": "1", "item_no[]": "1", "item_desc[]": "1",
		"item_amount_unit[]": "1000000", "firstname": "Sung", "lastname": "Do", "email": "clearskies07@gmail.com", "description": "TEST_1571044062268"}})
	_, err = c.Webhook(nil, []byte(signLike(t, whole, with(printed))), now)
	refused(t, err, connectors.BadSignature)
	if err == nil || !strings.Contains(err.Error(), "not one JSON value") {
		t.Errorf("got %v", err)
	}

	whole = with(example(t, "provider-extra-fields"))
	n, err = c.Webhook(nil, []byte(signLike(t, whole, whole)), now)
	if err != nil || n.Observation.Action == nil || n.Observation.Action.Transfer == nil {
		t.Fatalf("got %+v, %v", n, err)
	}
	if tr := n.Observation.Action.Transfer; tr.BankName != "Kyungnam Bank 039" || tr.AccountNumber != "1111-1111-1111" || tr.AccountHolder != "TEST" || !tr.ExpiresAt.Equal(time.Date(2019, 10, 16, 9, 42, 26, 0, time.UTC)) {
		t.Errorf("got %+v", tr)
	}
}

// TestBrokenAnswers: an answer that is no JSON is never believed, and says where it stops being some.
func TestBrokenAnswers(t *testing.T) {
	for _, body := range []string{example(t, "payout-success"), example(t, "gate-success"), `{"status":"success" "payment_id":"` + order + `"}`, taken[1:], taken + "}"} {
		_, _, err := submitTo(t, payout(), 200, body)
		if e := classified(t, err); e.Class != connectors.InDoubt || !strings.Contains(e.Evidence, "syntax error after line") {
			t.Errorf("%s: got %+v", body, e)
		}
		_, err = lookUp(t, payment.Deposit, 200, body)
		if e := classified(t, err); e.Class != connectors.InDoubt || !strings.Contains(e.Evidence, "syntax error after line") {
			t.Errorf("%s: got %+v", body, e)
		}
	}
}
