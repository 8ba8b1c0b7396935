package events_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// A refusal names who published, what is wrong and where it was stored, and holds nothing that its publisher chose but the names
// of fields.
func TestRefusals(t *testing.T) {
	schema := compile(events.RefusalSchema, events.RefusalSchemaID)
	wrong := payment.FieldErrors{{Field: "customer.fullname", Problem: "is not a field of a command"}, {Field: "metadata.01098765432", Problem: "must be a string, not a number"}}
	at := begin.Add(time.Hour)
	header := func(upstream string) events.Header { return events.Header{events.HeaderUpstream: {upstream}} }
	for _, c := range []struct {
		stream, subject, upstream, data string
		problems                        payment.FieldErrors
		detail                          string
		want                            string // its subject
		told                            string // its detail
	}{
		{"INTAKE-shop", "deposit.requested.teemopay-kr.D-1", "shop", "{", nil, "the body is not well-formed JSON", "command.refused.shop.teemopay-kr.D-1", "the body is not well-formed JSON"},
		{"COMMANDS", "payout.requested.teemopay-kr.D-1", "", "{}", wrong, "x", "command.refused.~.teemopay-kr.D-1", "customer.fullname: is not a field of a command; metadata: must be a string, not a number"},
		{"INTAKE-shop", "deposit.requested.teemopay-kr.D 1", "shop", "{}", nil, "", "command.refused.shop.unknown.INTAKE-shop-17", ""},
		{"COMMANDS", "deposit.requested", "a.b", body(`,"x":1`), nil, "", "command.refused.~.teemopay-kr.D-20261122-0001", ""},
		{"COMMANDS", "deposit.requested", "", `{"provider":"a.>","order":"*"}`, nil, "", "command.refused.~.unknown.COMMANDS-17", ""},
		{"COMMANDS", "clarification.requested.teemopay-kr.D-1", "shop", "{}", nil, "hong@example.com 홍길동 010-9876-5432 65537", "command.refused.shop.teemopay-kr.D-1", "… … … 65537"},
	} {
		m := events.Message{Subject: c.subject, Header: header(c.upstream), Data: []byte(c.data), Sequence: 17, StoredAt: begin}
		r, ok := events.NewRefusal(c.stream, m, events.DeadInvalid, c.detail, c.problems, at)
		if !ok || r.Detail != c.told || r.Sequence != 17 || r.Stream != c.stream || !r.RefusedAt.Equal(at) || !r.PublishedAt.Equal(begin) {
			t.Errorf("%s: %v %+v", c.subject, ok, r)
		}
		out, err := events.EncodeRefusal(r, "id-1")
		if err != nil || out.Subject != c.want || out.Header.Get("ce-type") != "command.refused" || out.Header.Get("ce-dataschema") != events.RefusalSchemaID {
			t.Errorf("%s: %v %+v", c.subject, err, out)
		}
		if err := validate(schema, out.Data); err != nil {
			t.Errorf("%s: %s: %v", c.subject, out.Data, err)
		}
		again, err := events.DecodeRefusal(out.Data)
		text, _ := json.Marshal(again)
		if err != nil || string(text) != string(out.Data) || strings.Contains(string(out.Data), "01098765432") {
			t.Errorf("%s: %v %s", c.subject, err, text)
		}
	}
	if len(events.RefusalOf("shop", payment.Ref{Provider: "p", Order: "o"})) == 0 || events.RefusalsOf("shop") != "command.refused.shop.*.*" {
		t.Error("the subjects to read are wrong")
	}
	for _, subject := range []string{"webhook.received.teemopay-kr.D-1", "parked.teemopay-kr.D-1", "payment.settled.teemopay-kr.D-1", "probe.commands"} {
		if _, ok := events.NewRefusal("X", events.Message{Subject: subject}, events.DeadInvalid, "", nil, at); ok {
			t.Errorf("%s is refused to an upstream", subject)
		}
	}
}
