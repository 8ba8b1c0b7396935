package events_test

import (
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// What is on the wire between notifiers, payctl and the broker stays as it is.
func TestEndpointWireStrings(t *testing.T) {
	e := events.EndpointEvent{Endpoint: "shop", Ref: payment.Ref{Provider: "teemopay-kr", Order: "D-1"}, Sequence: 4711}
	for have, want := range map[string]string{
		events.StreamEndpoints: "ENDPOINTS", e.Due(): "endpoint.due.shop.teemopay-kr.D-1.4711", e.Waiting(): "endpoint.waiting.shop.teemopay-kr.D-1.4711",
		events.EndpointDueFilter("*"): "endpoint.due.*.*.*.*", events.EndpointWaitingFilter("shop"): "endpoint.waiting.shop.*.*.*",
		events.EndpointConsumer("shop"): "endpoint-shop", events.EndpointTestSubject("shop"): "endpoint.test.shop",
		events.DeadLetterSubject(events.StreamEndpoints, "teemopay-kr"): "deadletter.endpoints.teemopay-kr",
		events.HeaderAttempts: "Payonce-Attempts", events.HeaderFirstAttempt: "Payonce-First-Attempt",
	} {
		if have != want {
			t.Errorf("%s, want %s", have, want)
		}
	}
	out := events.EncodeEndpointTest("shop", "id-1", time.Unix(0, 0))
	if string(out.Data) != `{"test":true,"endpoint":"shop"}` || out.Header.Get("ce-type") != "endpoint.test" || out.Header.Get("ce-id") != "id-1" {
		t.Errorf("%s, %v", out.Data, out.Header)
	}
}

func TestParseEndpointEvent(t *testing.T) {
	want := events.EndpointEvent{Endpoint: "shop", Ref: payment.Ref{Provider: "acme", Order: "D-1"}, Sequence: 4711}
	for _, subject := range []string{want.Due(), want.Waiting()} {
		if e, ok := events.ParseEndpointEvent(subject); !ok || e != want {
			t.Errorf("%s: %+v, %t", subject, e, ok)
		}
		if ref, ok := events.SubjectRef(subject); !ok || ref != want.Ref { // its dead letter is its provider's
			t.Errorf("%s: %s, %t", subject, ref, ok)
		}
	}
	for _, subject := range []string{
		"endpoint.test.shop", "endpoint.due.shop.acme.D-1", "endpoint.due.shop.acme.D-1.x", "endpoint.due.Shop.acme.D-1.1", "endpoint.due.shop.acme.D 1.1",
		"endpoint.gone.shop.acme.D-1.1", "payment.due.shop.acme.D-1.1", "endpoint.due.shop.acme.D-1.1.2", "endpoint.due.shop.acme.D-1.-1",
	} {
		if e, ok := events.ParseEndpointEvent(subject); ok {
			t.Errorf("%s: %+v", subject, e)
		}
	}
	for text, wants := range map[string]int{"": 0, "3": 3, "-1": 0, "many": 0} {
		if attempts, first := events.EndpointAttempts(events.Header{"payonce-attempts": {text}}); attempts != wants || !first.IsZero() {
			t.Errorf("%q: %d, %s", text, attempts, first)
		}
	}
}
