package teemopay_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
)

// FuzzReply reads anything as an answer. Only an answer that names our order can be more
// than a doubt, no account holds less than nothing, and nothing makes it panic.
func FuzzReply(f *testing.F) {
	for _, body := range []string{acceptedVA, duplicate, declined, data(`"status":1,"amount":"1000.00"`), data(`"status":2,"amount":"1000.00","transactionAmount":"1000.00","statementList":[` + statement("A", "1000.00", 2) + `]`),
		`{"code":425,"msg":"Insufficient merchant balance"}`, `{"code":434}`, `{"code":400,"msg":"Order not found"}`, strings.Replace(acceptedVA, "1761022567000", "1761022567000000", 1), `<html>`, ``, `[]`, `{"records":[{"type":"1","merchantOrderNo":"D-1","amount":"5000.00","transactionAmount":"5000.00","status":2,"createTime":"2025-05-01 00:00:00","tradeNo":"T1"}]}`,
		`{"totalAmount":"12000.00","frozenAmount":"2000.00","availAmount":"10000.00"}`, `{"frozenAmount":"15.15","availAmount":984.85}`, `{"frozenAmount":"0.00","availAmount":"-1.00"}`} {
		f.Add([]byte(body))
	}
	c := connect(f, settings(f, "https://gateway.example.com"), rand.Reader)
	f.Fuzz(func(t *testing.T, answer []byte) {
		reply := httpcall.Reply{Status: 200, Body: answer}
		named := bytes.Contains(answer, []byte(order)) || bytes.Contains(answer, []byte(`\`)) // it may be escaped
		if holds, err := teemopay.ReadBalance(answer); err == nil && (holds.Currency != "KRW" || holds.Available.Minor < 0 || holds.Frozen.Minor < 0) {
			t.Errorf("the balance of %q: %+v", answer, holds)
		} else if err == nil && (!bytes.Contains(answer, []byte("Amount")) && !bytes.Contains(answer, []byte(`\`))) {
			t.Errorf("a balance from %q: %+v", answer, holds)
		}
		alloctest.Linear(t, len(answer), func() { _, _ = teemopay.ReadBalance(answer) })
		for _, op := range payment.Operations() {
			alloctest.Linear(t, len(answer), func() { _, _, _ = teemopay.ReadStatement(answer, op) })
			alloctest.Linear(t, len(answer), func() { _, _ = c.Answered(query(op), reply) })
			lines, _, err := teemopay.ReadStatement(answer, op)
			for _, l := range lines {
				if err != nil || l.Order == "" || l.Observation.Source != payment.FromStatement || l.Observation.Amount.Minor < 0 {
					t.Errorf("a line of %q: %+v, %v", answer, l, err)
				}
			}
		}
		for _, cmd := range []payment.Command{deposit(""), payout("")} {
			alloctest.Linear(t, len(answer), func() { _, _ = c.Submitted(cmd, reply) })
			o, err := c.Submitted(cmd, reply)
			if err == nil && (o.Kind != payment.Accepted || !named) {
				t.Errorf("accepted by %q: %+v", answer, o)
			}
			if _, err := json.Marshal(o); err != nil {
				t.Errorf("%q cannot be written: %v", answer, err)
			}
			if e := connectors.Classify(err); err != nil && e.Class == connectors.InDoubt && e.Known && !named && e.ProviderCode != "426" {
				t.Errorf("known by %q: %+v", answer, e)
			}
			o, err = c.Answered(query(cmd.Operation), reply)
			if err == nil && o.Kind != payment.Unknown && !named {
				t.Errorf("learned from %q: %+v", answer, o)
			}
			if o.Kind == payment.Paid && cmd.Operation == payment.Payout && o.Amount.Minor <= 0 {
				t.Errorf("paid nothing by %q: %+v", answer, o)
			}
		}
	})
}
