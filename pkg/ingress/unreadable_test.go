package ingress_test

import (
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/payment"
)

// A payment whose last event cannot be read is shown in doubt, or with the outcome that it had, and never as it stood before the
// event. Its command is known still, and another one of its order is refused still.
func TestPaymentWithAnUnreadableEventIsShown(t *testing.T) {
	for before, want := range map[payment.Status]string{payment.Parked: "in_doubt", payment.Submitting: "in_doubt", payment.Settled: "settled"} {
		b := newBorder(t)
		p := paymentOf(t, payment.Deposit, depositBody, before)
		b.log.append(p)
		b.log.unreadable(p.Ref, payment.Settled)
		a := b.do("GET", "/v1/payments/fake-kr/D-1", "")
		if view := a.mustBe(t, 200); view["status"] != want || a.header.Get("ETag") != `"2"` || view["action"] != nil {
			t.Errorf("%s: %s, ETag %s", before, a.body, a.header.Get("ETag"))
		}
		again := b.do("POST", "/v1/deposits", depositBody)
		if again.status/100 != 2 || !strings.Contains(again.body, `"status":"`+want) || b.queue.publishes() != 0 {
			t.Errorf("%s: the command again: %s, %d published", before, again.body, b.queue.publishes())
		}
		b.do("POST", "/v1/deposits", strings.Replace(depositBody, "10000", "20000", 1)).mustRefuse(t, 409, "order_reused", "order")
		timeline := b.do("GET", "/v1/payments/fake-kr/D-1/events", "")
		view := timeline.mustBe(t, 200)
		events, _ := view["events"].([]any)
		bad, _ := view["unreadable"].([]any)
		if len(events) != 1 || len(bad) != 1 || !strings.Contains(timeline.body, `{"sequence":102,"stored_at":"2026-11-22T00:00:00Z","problem":"it is not JSON"}`) {
			t.Errorf("%s: the timeline is %s", before, timeline.body)
		}
	}
}

// Where the log has nothing else, the queue says what the payment is; without it the payment is unknown.
func TestPaymentWithNothingButAnUnreadableEvent(t *testing.T) {
	b := newBorder(t)
	p := paymentOf(t, payment.Deposit, depositBody, payment.Parked)
	b.log.unreadable(p.Ref, payment.Settled)
	b.do("GET", "/v1/payments/fake-kr/D-1", "").mustRefuse(t, http.StatusServiceUnavailable, "unavailable", "")
	b.do("POST", "/v1/deposits", depositBody).mustRefuse(t, http.StatusServiceUnavailable, "unavailable", "")
	b.queue.put(queuedMessage(t, payment.Deposit, depositBody, "x"))
	if view := b.do("GET", "/v1/payments/fake-kr/D-1", "").mustBe(t, 200); view["status"] != "in_doubt" {
		t.Errorf("%v", view)
	}
}
