package events_test

import (
	"bytes"
	"errors"
	"net/http"
	"reflect"
	"testing"

	"payonce/pkg/events"
)

// FuzzMessages reads anything as a webhook and as a clarification. What is read can be written and read
// again, and an error names no payment that cannot be.
func FuzzMessages(f *testing.F) {
	w := events.Webhook{Ref: ref, Header: http.Header{"Nonce": {"n\xe9"}}, Body: []byte(`{"a":1}`), ReceivedAt: begin}
	out, err := events.EncodeWebhook(w, "1")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(out.Subject, "Payonce-Http-Nonce", "n%E9", []byte(`{"a":1}`))
	for _, text := range []string{`{"fields":{"customer":{"name":"a"}}}`, `{"provider":"a","order":"b","fields":{"a":{"b":"c"}},"revision":3}`, `{"fields":{}}`, `[]`, ``} {
		f.Add("clarification.requested.ecommpay-kr.D-1", "Content-Type", "application/json", []byte(text))
	}
	f.Fuzz(func(t *testing.T, subject, name, value string, data []byte) {
		header := events.Header{name: {value}}
		m := events.Message{Subject: subject, Header: header, Data: bytes.Clone(data), StoredAt: begin}
		decodes(t, subject, header, m.Data)
		c, err := events.DecodeClarification(m)
		var refused *events.CommandError
		switch {
		case err == nil && c.Ref.Validate() != nil:
			t.Errorf("%q names %v", data, c.Ref)
		case errors.As(err, &refused) && refused.Reason == "":
			t.Errorf("refused without a reason: %v", err)
		}
		if again, err := events.ParseClarification(data); err == nil && len(again.Fields) == 0 {
			t.Errorf("no fields in %q", data)
		}
		webhook := events.Header{name: {value}}
		for key, values := range out.Header {
			if _, given := webhook[key]; !given {
				webhook[key] = values
			}
		}
		m.Header = webhook
		checkWebhook(t, m)
	})
}

func checkWebhook(t *testing.T, m events.Message) {
	t.Helper()
	w, err := events.DecodeWebhook(m)
	if err != nil {
		return
	}
	written, err := events.EncodeWebhook(w, "2")
	if err != nil {
		return // more headers than are kept
	}
	again, err := events.DecodeWebhook(events.Message{Subject: written.Subject, Header: written.Header, Data: written.Data})
	if err != nil || again.Ref != w.Ref || !bytes.Equal(again.Body, w.Body) {
		t.Fatalf("%+v became %+v, %v", w, again, err)
	}
	for _, credentials := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
		w.Header.Del(credentials)
		again.Header.Del(credentials)
	}
	if canonical := canonicalHeader(w.Header); !reflect.DeepEqual(canonicalHeader(again.Header), canonical) {
		t.Fatalf("%v became %v", canonical, again.Header)
	}
}

// canonicalHeader counts the values of each name: names that differ in case only come in no order.
func canonicalHeader(h http.Header) map[string]int {
	all := map[string]int{}
	for key, values := range h {
		for _, v := range values {
			all[http.CanonicalHeaderKey(key)+": "+v]++
		}
	}
	return all
}
