package ingress_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// fakeRefusals holds the last refusal by upstream and order.
type fakeRefusals map[string]events.Refusal

func (f fakeRefusals) Refusal(_ context.Context, upstream string, ref payment.Ref) (events.Refusal, error) {
	if ref.Order == "broken" {
		return events.Refusal{}, errors.New("no answer")
	}
	r, there := f[upstream+" "+ref.Order]
	if !there {
		return r, events.ErrNoRefusal
	}
	return r, nil
}

// The status of an order tells why a command of it was refused, to the upstream that published it.
func TestStatusOfARefusedCommand(t *testing.T) {
	refused := events.Refusal{
		Message: "deposit.requested", Reason: events.DeadInvalid, Detail: "customer.name: is required", RefusedAt: start, PublishedAt: start,
		Errors: []events.RefusedField{{Pointer: "/customer/name", Detail: "is required"}}, Stream: "COMMANDS", Sequence: 7,
	}
	b := newBorder(t, withGame, func(o *ingress.Options) {
		o.Refusals = fakeRefusals{"shop D-1": refused, "shop D-2": refused, "shop D-3": refused}
	})
	a := b.do("GET", "/v1/payments/fake-kr/D-1", "")
	a.mustRefuse(t, 404, "command_refused", "")
	a.mustList(t, "/customer/name is required")
	if !strings.Contains(a.body, `"reason":"invalid"`) || strings.Contains(a.body, "COMMANDS") {
		t.Errorf("it tells %s", a.body)
	}
	b.do("GET", "/v1/payments/fake-kr/D-1", "", asGame...).mustRefuse(t, 404, "not_found", "")
	b.do("GET", "/v1/payments/fake-kr/D-9", "").mustRefuse(t, 404, "not_found", "")

	// The payment is that of another command of the same number.
	b.log.append(by("shop", paymentOf(t, payment.Deposit, strings.Replace(depositBody, "D-1", "D-2", 1), payment.Settled)))
	shown := b.do("GET", "/v1/payments/fake-kr/D-2", "")
	view := shown.mustBe(t, 200)
	if told, ok := view["refusal"].(map[string]any); !ok || told["reason"] != "invalid" || view["status"] != "settled" {
		t.Errorf("it tells %s", shown.body)
	}
	tag := shown.header.Get("ETag")
	if !strings.HasPrefix(tag, `"1-`) {
		t.Errorf("a refusal changes nothing of the ETag %s", tag)
	}
	if a := b.do("GET", "/v1/payments/fake-kr/D-2", "", "If-None-Match", tag); a.status != 304 {
		t.Errorf("unchanged: %d", a.status)
	}
	if a := b.do("GET", "/v1/payments/fake-kr/D-2", "", "If-None-Match", `"1"`); a.status != 200 {
		t.Errorf("with a refusal more: %d", a.status)
	}
	b.queue.put(of("shop", queuedMessage(t, payment.Deposit, strings.Replace(depositBody, "D-1", "D-3", 1), "x")))
	if view := b.do("GET", "/v1/payments/fake-kr/D-3", "").mustBe(t, 200); view["refusal"] == nil {
		t.Errorf("a queued one: %v", view)
	}
	b.log.append(by("shop", paymentOf(t, payment.Deposit, strings.Replace(depositBody, "D-1", "broken", 1), payment.Settled)))
	b.do("GET", "/v1/payments/fake-kr/broken", "").mustRefuse(t, 503, "unavailable", "")
}
