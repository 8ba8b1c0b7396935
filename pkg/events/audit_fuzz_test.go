package events_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// FuzzDecodeAudit reads anything as an audit record. What can be written again is read as the same, and a
// known action has the subject of at most one order.
func FuzzDecodeAudit(f *testing.F) {
	r := events.AuditRecord{
		ID: "a", Stage: events.Intended, Action: events.ActionReplay, Provider: "teemopay-kr", Order: "D-1", By: "kim", Reason: "fixed",
		At: begin, Filter: map[string]string{"reason": "bad_webhook"}, Amount: payment.Money{Minor: 10000, Currency: "KRW"},
		Items: []events.AuditItem{{DeadLetter: 7, Before: payment.Parked, Result: "sent"}},
	}
	out, err := events.EncodeAudit(r, "e-1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out.Data)
	for _, text := range []string{`{}`, `[]`, `null`, `{"items":null,"at":"2026-01-01T00:00:00+09:00"}`, `{"order":">","provider":"*"}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		readsRecords(t, data)
		r, err := events.DecodeAudit(data)
		if err != nil {
			return
		}
		out, err := events.EncodeAudit(r, "e-2")
		if err != nil {
			return
		}
		if slices.Contains(events.Actions(), r.Action) && (strings.Count(out.Subject, ".") != 3 || strings.ContainsAny(out.Subject, "*> ")) {
			t.Errorf("%q: subject %q", data, out.Subject)
		}
		again, err := events.DecodeAudit(out.Data)
		if err != nil {
			t.Fatalf("%q is written as %q: %v", data, out.Data, err)
		}
		if twice, err := events.EncodeAudit(again, "e-2"); err != nil || !bytes.Equal(twice.Data, out.Data) {
			t.Errorf("%q is written as %q, then as %q: %v", data, out.Data, twice.Data, err)
		}
	})
}
