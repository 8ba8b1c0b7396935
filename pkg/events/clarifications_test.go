package events_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

const clarificationSubject = "clarification.requested.teemopay-kr.D-20261122-0001"

// clarifies returns the JSON of a small clarification with more fields.
func clarifies(more string) string {
	return `{"provider":"teemopay-kr","order":"D-20261122-0001","fields":{"customer":{"last_name":"HONG"}}` + more + `}`
}

func TestEveryClarificationRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z_]{1,64}`) // names that differ only in case are refused
		value := rapid.Custom(func(t *rapid.T) string { return "x" + rapid.StringMatching(`[aZ09 é홍😀]{0,200}`).Draw(t, "value") })
		c := events.Clarification{
			Ref: ref, Revision: rapid.IntRange(0, 1000).Draw(t, "revision"), RequestedAt: begin,
			Fields: rapid.MapOfN(name, rapid.MapOfN(name, value, 1, 5), 1, 5).Draw(t, "fields"),
		}
		out, err := events.EncodeClarification(c, "id")
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(clarificationSchema, out.Data); err != nil {
			t.Fatalf("%s: %v", out.Data, err)
		}
		got, err := events.DecodeClarification(events.Message{Subject: out.Subject, Header: out.Header, Data: out.Data})
		if err != nil || !reflect.DeepEqual(got, c) {
			t.Fatalf("got %+v, %v, want %+v", got, err, c)
		}
	})
}

func TestClarificationInItsThreeForms(t *testing.T) {
	binary := events.Header{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/shop"}, "ce-type": {"clarification.requested"}, "ce-datacontenttype": {"application/json"}}
	structured := `{"specversion":"1.0","id":"1","source":"/shop","type":"clarification.requested","datacontenttype":"application/json","data":` + clarifies("") + `}`
	stored := begin.Add(time.Hour)
	for name, m := range map[string]events.Message{
		"plain":      {Data: []byte(clarifies(""))},
		"binary":     {Data: []byte(clarifies("")), Header: binary},
		"structured": {Data: []byte(structured), Header: events.Header{"Content-Type": {"application/cloudevents+json"}}},
	} {
		m.Subject, m.StoredAt = clarificationSubject, stored
		got, err := events.DecodeClarification(m)
		if err != nil || got.Ref != ref || got.Fields["customer"]["last_name"] != "HONG" || !got.RequestedAt.Equal(stored) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestStrictClarifications(t *testing.T) {
	const mismatch = "provider or order differ between subject and body"
	big := clarifies(`,"x":"` + strings.Repeat("x", events.MaxCommandBytes) + `"`)
	for _, c := range []struct {
		subject, body  string
		reason         events.DeadReason
		field, problem string
	}{
		{"", clarifies(`,"feilds":{}`), events.DeadInvalid, "feilds", "is not a field of a clarification"},
		{"", clarifies(`,"Clarification":{}`), events.DeadInvalid, "Clarification", "is not a field of a clarification"},
		{"", clarifies(`,"amount":{}`), events.DeadInvalid, "amount", "is not a field of a clarification"},
		{"", clarifies(`,"order":"D-2"`), events.DeadInvalid, "order", "occurs twice"},
		{"", strings.Replace(clarifies(""), `"HONG"`, `"HONG","LAST_NAME":"KIM"`, 1), events.DeadInvalid, "fields", "occurs twice"},
		{"", clarifies(`,"revision":-1`), events.DeadInvalid, "revision", "must not be negative"},
		{"", clarifies(`,"revision":"1"`), events.DeadInvalid, "revision", "must not be a JSON string"},
		{"", clarifies(`,"requested_at":"tomorrow"`), events.DeadInvalid, "requested_at", "must be an RFC 3339 time, like 2026-11-22T09:00:00+09:00"},
		{"", `{"provider":5}`, events.DeadInvalid, "provider", "must not be a JSON number"},
		{"", strings.Replace(clarifies(""), `"HONG"`, `5`, 1), events.DeadInvalid, "fields", "must not be a JSON number"},
		{"", strings.Replace(clarifies(""), `{"last_name":"HONG"}`, `"HONG"`, 1), events.DeadInvalid, "fields", "must not be a JSON string"},
		{"", strings.Replace(clarifies(""), `"HONG"`, `""`, 1), events.DeadInvalid, "fields", "values must have 1 to 1024 bytes of UTF-8"},
		{"", `{"provider":"teemopay-kr","order":"D-20261122-0001"}`, events.DeadInvalid, "fields", "must have 1 to 16 groups"},
		{"", "[]", events.DeadUndecodable, "", "the body is not a JSON object"},
		{"", clarifies("") + "{}", events.DeadUndecodable, "", "there is more than one JSON document"},
		{"", big, events.DeadTooBig, "", "65638 bytes, more than the 65536 of a clarification"},
		{"clarification.requested.teemopay-kr.D-2", clarifies(""), events.DeadMismatch, "", mismatch},
		{"clarification.requested.other.D-20261122-0001", clarifies(""), events.DeadMismatch, "", mismatch},
		{"", `{"fields":{"customer":{"last_name":"HONG"}}}`, events.DeadMismatch, "", mismatch},
		{"clarification.requested", clarifies(""), events.DeadMismatch, "", "not a clarification subject"},
		{"clarification.requested.Teemo.D-1", clarifies(""), events.DeadMismatch, "", "not a clarification subject"},
		{"deposit.requested.teemopay-kr.D-20261122-0001", clarifies(""), events.DeadMismatch, "", "not a clarification subject"},
	} {
		if c.subject == "" {
			c.subject = clarificationSubject
		}
		got, err := events.DecodeClarification(events.Message{Subject: c.subject, Data: []byte(c.body)})
		var wrong *events.CommandError
		if !errors.As(err, &wrong) || wrong.Reason != c.reason || wrong.Field != c.field || !strings.HasPrefix(wrong.Problem, c.problem) || wrong.Operation != "" {
			t.Errorf("%s %.200s: %+v, %#v", c.subject, c.body, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "HONG") || got.Fields != nil {
			t.Errorf("%.200s: a value came out: %+v, %v", c.body, got, err)
		}
	}
	if _, err := events.ParseClarification([]byte(big)); err == nil {
		t.Error("too many bytes were parsed")
	}
	wrongType := events.Header{"ce-specversion": {"1.0"}, "ce-id": {"1"}, "ce-source": {"/shop"}, "ce-type": {"deposit.requested"}}
	if _, err := events.DecodeClarification(events.Message{Subject: clarificationSubject, Header: wrongType, Data: []byte(clarifies(""))}); err == nil || err.Error() != `ce-type must be "clarification.requested"` {
		t.Errorf("a CloudEvent of another type: %v", err)
	}
	if _, err := events.EncodeClarification(events.Clarification{Ref: payment.Ref{Provider: "p", Order: "*"}}, "id"); err == nil {
		t.Error("an order with a wildcard was encoded")
	}
}

// A clarification must never be taken for a command to pay.
func TestClarificationIsNoCommand(t *testing.T) {
	if op, ok := events.SubjectOperation(clarificationSubject); ok {
		t.Errorf("the subject has the operation %q", op)
	}
	var wrong *events.CommandError
	if _, err := events.DecodeCommand(events.Message{Subject: clarificationSubject, Data: []byte(body(""))}); !errors.As(err, &wrong) || wrong.Reason != events.DeadMismatch || wrong.Ref != (payment.Ref{}) {
		t.Errorf("decoded as a command: %v", err)
	}
	for subject, is := range map[string]bool{
		events.ClarificationSubject(ref): true, events.CommandSubject(payment.Deposit, ref): false, events.ParkedSubject(ref): false,
		"clarification.requested": false, "clarification.received.p.o": false,
	} {
		if events.IsClarification(subject) != is {
			t.Errorf("%s is a clarification: %v", subject, !is)
		}
	}
}
