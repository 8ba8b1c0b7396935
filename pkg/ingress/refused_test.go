package ingress_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

func withField(field string) string { return strings.Replace(depositBody, "{", "{"+field+",", 1) }

// What a worker is sure to refuse is refused here, and nothing is stored.
func TestWhatAWorkerRefusesIsNotTaken(t *testing.T) {
	b := newBorder(t, remembering)
	for body, field := range map[string]string{
		withField(`"expires_at":"2026-11-21T23:59:59Z"`):                                                "expires_at",
		withField(`"expires_at":"` + start.Format(time.RFC3339) + `"`):                                  "expires_at",
		withField(`"requested_at":"` + start.Add(-retention).Format(time.RFC3339) + `"`):                "requested_at",
		withField(`"requested_at":"` + start.Add(-retention+5*24*time.Hour).Format(time.RFC3339) + `"`): "requested_at",
		withField(`"requested_at":"` + start.Add(6*time.Minute).Format(time.RFC3339) + `"`):             "requested_at",
		strings.Replace(depositBody, "HongGilDong", "Hong\u200bGilDong", 1):                             "customer.name",
		strings.Replace(depositBody, "HongGilDong", `Hong\ud800`, 1):                                    "customer.name",
	} {
		b.do("POST", "/v1/deposits", body).mustRefuse(t, 422, "invalid_field", field)
	}
	if n := b.queue.publishes(); n != 0 {
		t.Errorf("%d refused commands were stored", n)
	}
	for i, body := range []string{
		withField(`"expires_at":"` + start.Add(time.Second).Format(time.RFC3339) + `"`),
		withField(`"requested_at":"` + start.Add(-retention+10*24*time.Hour).Format(time.RFC3339) + `"`),
		withField(`"requested_at":"` + start.Add(4*time.Minute).Format(time.RFC3339) + `"`),
	} {
		b := newBorder(t, remembering)
		b.do("POST", "/v1/deposits", body).mustBeDuplicate(t, false, payment.Requested)
		if n := b.queue.publishes(); n != 1 {
			t.Errorf("%d: stored %d times", i, n)
		}
	}
}

// A command that came in time is answered with its payment, also when it comes again too late: a refusal
// would say that nothing was begun.
func TestAnExpiredCommandThatIsKnownIsAnswered(t *testing.T) {
	body := withField(`"expires_at":"2026-11-21T23:59:59Z"`)
	other := withField(`"expires_at":"2026-11-21T23:59:58Z"`)
	t.Run("in the log", func(t *testing.T) {
		for _, status := range []payment.Status{payment.Pending, payment.Settled, payment.InDoubt} {
			b := newBorder(t, remembering)
			b.log.append(paymentOf(t, payment.Deposit, body, status))
			b.do("POST", "/v1/deposits", body).mustBeDuplicate(t, true, status)
			b.do("POST", "/v1/deposits", other).mustRefuse(t, 422, "invalid_field", "expires_at")
		}
	})
	t.Run("in the queue", func(t *testing.T) {
		b := newBorder(t, remembering)
		b.queue.put(queuedMessage(t, payment.Deposit, body, "x"))
		b.do("POST", "/v1/deposits", body).mustBeDuplicate(t, true, payment.Requested)
		b.do("POST", "/v1/deposits", other).mustRefuse(t, 422, "invalid_field", "expires_at")
	})
	t.Run("between them", func(t *testing.T) {
		b := newBorder(t, remembering)
		b.queue.read = func() (events.Message, error) {
			if len(b.log.records[ref]) == 0 {
				b.log.append(paymentOf(t, payment.Deposit, body, payment.Submitting))
			}
			return events.Message{}, events.ErrNotQueued
		}
		b.do("POST", "/v1/deposits", body).mustBeDuplicate(t, true, payment.Submitting)
	})
	t.Run("parked, and its command is gone", func(t *testing.T) {
		b := newBorder(t, remembering)
		b.log.append(paymentOf(t, payment.Deposit, body, payment.Parked))
		b.do("POST", "/v1/deposits", body).mustBeDuplicate(t, true, payment.Parked)
		if n := b.queue.publishes(); n != 1 {
			t.Errorf("published %d times, want once: the worker ends it", n)
		}
	})
	t.Run("not to be found out", func(t *testing.T) {
		b := newBorder(t, remembering)
		b.queue.read = func() (events.Message, error) { return events.Message{}, errors.New("no broker") }
		b.do("POST", "/v1/deposits", body).mustRefuse(t, 503, "unavailable", "")
	})
}

// The answer to the command of a failed payment says that this order makes no further attempt.
func TestTheAnswerSaysThatAFailedPaymentNeedsANewOrder(t *testing.T) {
	for _, status := range payment.Statuses()[1:] {
		b := newBorder(t, remembering)
		b.log.append(paymentOf(t, payment.Deposit, depositBody, status))
		if status == payment.Parked {
			b.queue.put(events.Message{Subject: events.ParkedSubject(ref)})
		}
		view := b.do("POST", "/v1/deposits", depositBody).mustBe(t, 202)
		retry, detail := view["retry"], view["detail"]
		if status != payment.Failed && (retry != nil || detail != nil) {
			t.Errorf("%s: retry %v, detail %v", status, retry, detail)
		}
		if text, _ := detail.(string); status == payment.Failed && (retry != "new_order" || !strings.Contains(text, "failed") || !strings.Contains(text, "new order number")) {
			t.Errorf("%s: retry %v, detail %v", status, retry, detail)
		}
	}
}

// A name in Unicode's two forms is one order.
func TestBothFormsOfANameAreOneOrder(t *testing.T) {
	b := newBorder(t, remembering)
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, "HongGilDong", "홍길동", 1)).mustBeDuplicate(t, false, payment.Requested)
	apart := "\u1112\u1169\u11bc\u1100\u1175\u11af\u1103\u1169\u11bc"
	b.do("POST", "/v1/deposits", strings.Replace(depositBody, "HongGilDong", apart, 1)).mustBeDuplicate(t, true, payment.Requested)
	if cmd, err := events.DecodeCommand(b.queue.commands[ref]); err != nil || cmd.Customer.Name != "홍길동" {
		t.Errorf("queued %+q, %v", cmd.Customer.Name, err)
	}
}

const retention = 90 * 24 * time.Hour

func remembering(o *ingress.Options) { o.Retention = retention }
