package payctl

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"payonce/internal/statements"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
	"payonce/pkg/secret"
	"payonce/test/alloctest"
)

// FuzzStatementFile reads anything as a provider's records. What has no problem are lines that can be compared, no more than
// the file has, and every problem is at a line.
func FuzzStatementFile(f *testing.F) {
	const header = "order,operation,amount,settled_amount,currency,status,reference,created_at,completed_at"
	const line = "P-1,deposit,10000,9000,KRW,paid,PR-1,2026-11-22 09:00:05,2026-11-22T09:01:00Z"
	for _, text := range []string{header + "\n" + line, "\ufeff" + header + "\r\n" + line, strings.ReplaceAll(header+"\n"+line, ",", ";"), header, "\"", "", "\xff", header + "\n" + line + "\n" + line} {
		f.Add([]byte(text), false)
		f.Add([]byte(text), true)
	}
	day := reconcile.Interval{From: time.Unix(1_790_000_000, 0), To: time.Unix(1_790_086_400, 0)}
	f.Fuzz(func(t *testing.T, text []byte, named bool) {
		form := statements.Form{Zone: time.UTC}
		if named {
			form = statements.Form{
				Columns: map[string]string{"order": "order", "settled_amount": "amount", "status": "status", "created_at": "created_at"}, Statuses: map[string]string{"ok": "paid"},
				Operation: payment.Payout, Currency: "TWD", Zone: zones["TWD"],
			}
		}
		alloctest.Linear(t, len(text), func() { statements.Parse(text, form, reconcile.NewStatement(day.To, day)) })
		statement := reconcile.NewStatement(day.To, day)
		problems := statements.Parse(text, form, statement)
		lines := bytes.Count(text, []byte("\n")) + 1
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines || p.Problem == "" {
				t.Errorf("%q: %+v", text, p)
			}
		}
		if len(problems) == 0 && (statement.Len() >= lines || statement.Covered.From.After(day.From) || statement.Covered.To.Before(day.To)) {
			t.Errorf("%q: %d lines, %v", text, statement.Len(), statement.Covered)
		}
	})
}

// FuzzVerify signs anything in every provider's way and changes one bit of the signature: it never
// verifies. (Every bit of every provider's own webhooks is changed in the conformance suite.)
func FuzzVerify(f *testing.F) {
	private, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		f.Fatal(err)
	}
	key := secret.New("0123456789abcdef0123456789abcdef")
	schemes := []scheme{
		&ecommpayScheme{key: key}, &diamondpayScheme{key: key, signType: "MD5"}, &diamondpayScheme{key: key, signType: "HMAC-SHA256"},
		&teemopayScheme{nonce: "0123456789abcdef0123456789abcdef", private: private, public: &private.PublicKey},
	}
	for _, body := range []string{`{"a":1}`, `{"merchantOrderNo":"D-1","amount":"1000.00","status":2}`, `{"general":{"project_id":1},"l":[1,{"b":null}]}`} {
		f.Add([]byte(body), uint16(7))
	}
	f.Fuzz(func(t *testing.T, body []byte, at uint16) {
		for i, s := range schemes {
			signature, err := s.sign(body)
			if err != nil {
				continue
			}
			if _, err := s.verify(body, &signature); err != nil {
				t.Errorf("scheme %d: its own signature of %q: %v", i, body, err)
			}
			bad := []byte(signature)
			bad[int(at/8)%len(bad)] ^= 1 << (at % 8)
			changed := string(bad)
			if _, err := s.verify(body, &changed); err == nil {
				t.Errorf("scheme %d: bit %d of the signature of %q does not count", i, at, body)
			}
		}
	})
}
