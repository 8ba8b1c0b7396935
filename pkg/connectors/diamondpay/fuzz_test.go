package diamondpay_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/diamondpay"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
)

// FuzzReply reads anything as an answer. What is learned from it about an order must name the order, and
// nothing makes it panic.
func FuzzReply(f *testing.F) {
	for _, body := range []string{standardV1, detailedV1, acceptedV2, acceptedTWD, snakeTWD, exampleError, acceptedPayout, `{"error_code":"0050"}`, list(), `<html>`, ``, `[]`,
		list(signedRow(f, diamondpay.MD5, payment.Deposit, `"amount":1000000,"real_amount":1000000,"status":2`)), one(row(payment.Payout, `"amount":1000000,"status":3`)),
		`{"error_code":"0018","data":null}`, `{"error_code":"0000","data":{"total_balance":100,"total_frozen_balance":1}}`, one(row(payment.Deposit, `"amount":1000000,"status":1`))} {
		f.Add([]byte(body))
	}
	accounts := map[string]*diamondpay.Connector{}
	for name, a := range map[string]account{"v1": krwV1, "v2": krwV2} {
		accounts[name] = connect(f, a("https://gateway.example.com"))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		reply := httpcall.Reply{Status: 200, Body: answer}
		named := bytes.Contains(answer, []byte(order)) || bytes.Contains(answer, []byte(`\`)) // it may be escaped
		for version, c := range accounts {
			alloctest.Linear(t, len(answer), func() { _, _ = c.ReadBalance(reply) })
			alloctest.Linear(t, len(answer), func() { _, _ = c.Submitted(payout(), reply) })
			alloctest.Linear(t, len(answer), func() { _, _ = c.Submitted(deposit(payment.KRW(10000)), reply) })
			alloctest.Linear(t, len(answer), func() { _, _ = c.Answered(query(payment.Deposit), reply) })
			if b, err := c.ReadBalance(reply); err == nil && (b.Currency != "KRW" || b.Available.Minor < 0 || b.Frozen.Minor < 0) {
				t.Errorf("a balance of %q: %+v", answer, b)
			}
			for _, cmd := range []payment.Command{deposit(payment.KRW(10000)), payout()} {
				o, err := c.Submitted(cmd, reply)
				if err == nil && (o.Kind != payment.Accepted || cmd.Operation == payment.Deposit && (o.Action == nil || version == "v2" && !named)) {
					t.Errorf("accepted by %q: %+v", answer, o)
				}
				if _, err := json.Marshal(o); err != nil {
					t.Errorf("%q cannot be written: %v", answer, err)
				}
				if e := connectors.Classify(err); err != nil && e.Known && !named && e.ProviderCode != "0014" {
					t.Errorf("known by %q: %+v", answer, e)
				}
				checkLearned(t, c, cmd.Operation, reply, named)
			}
		}
	})
}

func checkLearned(t *testing.T, c *diamondpay.Connector, operation payment.Operation, reply httpcall.Reply, named bool) {
	t.Helper()
	o, err := c.Answered(query(operation), reply)
	if err == nil && o.Kind != payment.Unknown && !named {
		t.Errorf("learned from %q: %+v", reply.Body, o)
	}
	if o.Kind == payment.Paid && (o.Amount.Minor <= 0 || o.SettledAmount.Minor <= 0 && operation == payment.Deposit) {
		t.Errorf("paid nothing by %q: %+v", reply.Body, o)
	}
}

// FuzzWebhook lets anything in as a notification, unsigned and signed.
func FuzzWebhook(f *testing.F) {
	c := receiver(f, diamondpay.HMACSHA256)
	for _, body := range []string{depositNotification, payoutNotification, payoutFailed} {
		f.Add([]byte(body))
		f.Add(signedWith(f, diamondpay.HMACSHA256, key, body))
		f.Add(signedWith(f, diamondpay.MD5, key, body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		alloctest.Linear(t, len(body), func() { _, _ = c.Webhook(nil, body, now) })
		if notice, err := c.Webhook(nil, body, now); err == nil && !payment.ValidOrder(notice.Order) {
			t.Errorf("taken: %+v", notice)
		}
		if err := diamondpay.Verify(diamondpay.HMACSHA256, []string{"a-secret-that-nobody-used"}, body); err == nil {
			t.Errorf("verifies with another secret: %q", body)
		}
		sign, err := diamondpay.Sign(diamondpay.HMACSHA256, key, body)
		if err != nil {
			return
		}
		var all map[string]json.RawMessage
		if json.Unmarshal(body, &all) != nil {
			t.Fatalf("signed what is not JSON: %q", body)
		}
		delete(all, "sign_type")
		all["sign"] = json.RawMessage(`"` + sign + `"`)
		whole, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		alloctest.Linear(t, len(whole), func() { _, _ = c.Webhook(nil, whole, now) })
		notice, err := c.Webhook(nil, whole, now)
		if err != nil {
			return
		}
		o := notice.Observation
		if !payment.ValidOrder(notice.Order) || o.Kind == payment.Paid && (o.Amount.Minor <= 0 || o.Amount.Currency != "KRW") {
			t.Errorf("taken: %+v", notice)
		}
	})
}

// FuzzTrailingCommas: valid JSON is not touched, and what the repair makes valid means the same with the
// commas taken away.
func FuzzTrailingCommas(f *testing.F) {
	for _, body := range []string{acceptedV2, `{"a":1,}`, `[1,,]`, `{"a":",}"}`, `{,}`, `"\",]"`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		alloctest.Linear(t, len(body), func() { _ = diamondpay.WithoutTrailingCommas(body) })
		repaired := diamondpay.WithoutTrailingCommas(body)
		if json.Valid(body) && !bytes.Equal(body, repaired) {
			t.Errorf("%q became %q", body, repaired)
		}
		if removed := len(body) - len(repaired); removed != strings.Count(string(body), ",")-strings.Count(string(repaired), ",") || removed < 0 {
			t.Errorf("%q became %q", body, repaired)
		}
		if again := diamondpay.WithoutTrailingCommas(repaired); json.Valid(repaired) && !bytes.Equal(again, repaired) {
			t.Errorf("%q became %q", repaired, again)
		}
	})
}
