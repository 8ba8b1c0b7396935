package events_test

import (
	"bytes"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"payonce/pkg/events"
)

func received(m events.Outgoing) events.Message {
	return events.Message{Subject: m.Subject, Header: m.Header, Data: m.Data}
}

func TestWebhookRoundTrip(t *testing.T) {
	w := exampleWebhook()
	w.Header["X-Empty"], w.Header["X-Percent"], w.Header["X-Blanks"] = []string{""}, []string{"%41%", "%C0%A0"}, []string{"  a\t"}
	w.Header["X-Latin1"] = []string{"caf\xe9"} // bytes that are no UTF-8 are valid in an HTTP header
	w.Header["Content-Type"] = []string{"text/plain; name=\xe9"}
	m, err := events.EncodeWebhook(w, exampleID)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := events.DecodeWebhook(received(m)); err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("got %+v, %v, want %+v", got, err, w)
	}
	upper := received(m)
	upper.Header = events.Header{}
	for name, values := range m.Header {
		upper.Header[strings.ToUpper(name)] = values
	}
	if got, err := events.DecodeWebhook(upper); err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("with names in upper case: %+v, %v", got, err)
	}
}

func TestEveryWebhookRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := events.Webhook{Ref: ref, ReceivedAt: begin, Header: http.Header{}, Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body")}
		for range rapid.IntRange(0, 5).Draw(t, "headers") {
			w.Header.Add(rapid.StringMatching(`[A-Za-z0-9!#$&'*+.^_|~-]{1,20}`).Draw(t, "name"), string(rapid.SliceOf(rapid.Byte()).Draw(t, "value")))
		}
		for _, name := range []string{"Authorization", "Cookie", "Proxy-Authorization"} {
			w.Header.Del(name)
		}
		m, err := events.EncodeWebhook(w, "1")
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range m.Header {
			for _, value := range values {
				if strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
					t.Fatalf("header %s: %q cannot go over the wire", name, value)
				}
			}
		}
		if got, err := events.DecodeWebhook(received(m)); err != nil || !reflect.DeepEqual(got, w) {
			t.Fatalf("got %+v, %v, want %+v", got, err, w)
		}
	})
}

func TestWebhookDropsCredentials(t *testing.T) {
	w := exampleWebhook()
	for _, name := range []string{"Authorization", "authorization", "Cookie", "COOKIE", "Proxy-Authorization", "proxy-authorization"} {
		w.Header[name] = []string{"hunter2-" + name}
	}
	m, err := events.EncodeWebhook(w, exampleID)
	if err != nil {
		t.Fatal(err)
	}
	if wire := onWire(m); bytes.Contains(wire, []byte("hunter2")) || !bytes.Contains(wire, []byte("sha256=00ff")) {
		t.Errorf("got %s", wire)
	}
}

func TestWebhookHeaderLimit(t *testing.T) {
	w := exampleWebhook()
	w.Header = http.Header{"X-A": {strings.Repeat("a", 16<<10-len("X-A"))}}
	if _, err := events.EncodeWebhook(w, "1"); err != nil {
		t.Errorf("16 KiB: %v", err)
	}
	w.Header.Add("X-B", "")
	if _, err := events.EncodeWebhook(w, "1"); err == nil {
		t.Error("more than 16 KiB were taken")
	}
	w.Header = http.Header{"X-A": {strings.Repeat("%", 6<<10)}} // counted as it is written
	if _, err := events.EncodeWebhook(w, "1"); err == nil {
		t.Error("more than 16 KiB once encoded were taken")
	}
	w.Header, w.Order = nil, "a.b"
	if _, err := events.EncodeWebhook(w, "1"); err == nil {
		t.Error("a webhook of no order was taken")
	}
}

func TestDecodeWebhookRefuses(t *testing.T) {
	for name, change := range map[string]func(*events.Message){
		"subject":     func(m *events.Message) { m.Subject = "webhook.received" },
		"specversion": func(m *events.Message) { m.Header.Set("ce-specversion", "2.0") },
		"no headers":  func(m *events.Message) { m.Header = nil },
		"type":        func(m *events.Message) { m.Header.Set("ce-type", "payment.settled") },
		"no time":     func(m *events.Message) { delete(m.Header, "ce-time") },
		"encoding":    func(m *events.Message) { m.Header.Set("Payonce-Http-X-Note", "%4") },
	} {
		out, err := events.EncodeWebhook(exampleWebhook(), exampleID)
		if err != nil {
			t.Fatal(err)
		}
		m := received(out)
		change(&m)
		if got, err := events.DecodeWebhook(m); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	w := exampleWebhook()
	w.ReceivedAt = time.Time{}
	if m, err := events.EncodeWebhook(w, "1"); err == nil {
		t.Errorf("a webhook without a time was written, and would never be read: %v", m.Header)
	}
}
