package client_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"payonce/pkg/client"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

func secretOf(key string) string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(key))
}

var old, current, foreign = secretOf("the old key of 32 bytes, really!"), secretOf("the new key of 32 bytes, really!"), secretOf("another's key of 32 bytes, oh no")

// webhook is a request as payonce sends it.
func webhook(t *testing.T, secret, id string, at time.Time, body string) *http.Request {
	t.Helper()
	signer, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/payonce", strings.NewReader(body))
	r.Header.Set("webhook-id", id)
	r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("webhook-signature", signature)
	return r
}

// settled is an event as a worker publishes it.
func settled(t *testing.T) events.Outgoing {
	t.Helper()
	m, err := events.EncodePayment(payment.Payment{
		Ref: ref, Operation: payment.Deposit, Status: payment.Settled, Revision: 3, Amount: payment.KRW(10000), SettledAmount: payment.KRW(9900),
	}, "event-1")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSignedWebhookIsRead(t *testing.T) {
	r, err := client.NewReceiver(current, old)
	if err != nil {
		t.Fatal(err)
	}
	body := string(settled(t).Data)
	for _, secret := range []string{current, old} {
		e, err := r.Read(webhook(t, secret, "event-1", time.Now(), body))
		if err != nil || e.ID != "event-1" || e.Test || e.Payment.Status != payment.Settled || e.Payment.SettledAmount != client.KRW(9900) || e.Payment.Revision != 3 {
			t.Errorf("%+v, %v", e, err)
		}
	}
	if e, err := r.Read(webhook(t, current, "test-1", time.Now(), `{"test":true,"endpoint":"shop"}`)); err != nil || !e.Test || e.ID != "test-1" {
		t.Errorf("test: %+v, %v", e, err)
	}
	if _, err := r.Read(webhook(t, current, "event-2", time.Now(), strings.Replace(body, `"settled"`, `"polished"`, 1))); err == nil || errors.Is(err, client.ErrNotSigned) {
		t.Errorf("a status that is not known here: %v", err)
	}
}

func TestForgedWebhookIsRefused(t *testing.T) {
	r, err := client.NewReceiver(current)
	if err != nil {
		t.Fatal(err)
	}
	body := string(settled(t).Data)
	changed := webhook(t, current, "event-1", time.Now(), body)
	changed.Body = http.NoBody
	renamed := webhook(t, current, "event-1", time.Now(), body)
	renamed.Header.Set("webhook-id", "event-9")
	for name, request := range map[string]*http.Request{
		"another key":    webhook(t, foreign, "event-1", time.Now(), body),
		"an old request": webhook(t, current, "event-1", time.Now().Add(-time.Hour), body),
		"another body":   changed,
		"another id":     renamed,
		"no signature":   httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)),
		"a long body":    webhook(t, current, "event-1", time.Now(), body+strings.Repeat(" ", 1<<20)),
	} {
		if _, err := r.Read(request); !errors.Is(err, client.ErrNotSigned) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.NewReceiver(); err == nil {
		t.Error("a receiver without a secret is made")
	}
	if _, err := client.NewReceiver("whsec_***"); err == nil || strings.Contains(err.Error(), "***") {
		t.Errorf("%v", err)
	}
}

func TestEventsOfTheLogAreDecoded(t *testing.T) {
	m := settled(t)
	e, err := client.DecodeEvent(m.Header, m.Data)
	if err != nil || e.ID != "event-1" || e.Payment.Ref != ref {
		t.Fatalf("%+v, %v", e, err)
	}
	for name, value := range map[string]string{"ce-specversion": "2.0", "ce-dataschema": "urn:payonce:schema:payment:v2", "ce-type": "payment.failed", "ce-id": ""} {
		m := settled(t)
		m.Header.Set(name, value)
		if _, err := client.DecodeEvent(m.Header, m.Data); err == nil {
			t.Errorf("%s %q is taken", name, value)
		}
	}
}
