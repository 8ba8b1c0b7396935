package ingress_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"payonce/pkg/events"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// The same command, written in another way, and another one under the same order.
var (
	rewritten = strings.Replace(`{"metadata":{"shop":"7"},`+depositBody[1:], `,"metadata":{"shop":"7"}}`, `,"requested_at":"2026-11-21T00:00:00Z"}`, 1)
	different = strings.Replace(depositBody, "10000", "10001", 1)
)

func (a answer) mustBeDuplicate(t *testing.T, want bool, status payment.Status) {
	t.Helper()
	view := a.mustBe(t, http.StatusAccepted)
	if view["duplicate"] != want || view["status"] != string(status) {
		t.Errorf("duplicate %v, status %v; want %v, %s", view["duplicate"], view["status"], want, status)
	}
	if a.header.Get("Location") != "/v1/payments/fake-kr/D-1" {
		t.Errorf("Location %q", a.header.Get("Location"))
	}
}

func TestOrderKnownInTheLog(t *testing.T) {
	for _, status := range payment.Statuses()[1:] {
		t.Run(string(status), func(t *testing.T) {
			b := newBorder(t)
			b.log.append(paymentOf(t, payment.Deposit, depositBody, status))
			if status == payment.Parked {
				b.queue.put(events.Message{Subject: events.ParkedSubject(ref)})
			}
			mustCount(t, ingress.CounterCommandsAccepted, []attribute.KeyValue{
				attribute.String("provider", "fake-kr"), attribute.String("operation", "deposit"), attribute.Bool("duplicate", true),
			}, func() { b.do("POST", "/v1/deposits", rewritten).mustBeDuplicate(t, true, status) })
			b.do("POST", "/v1/deposits", different).mustRefuse(t, 409, "order_reused", "order")
			b.do("POST", "/v1/payouts", depositBody).mustRefuse(t, 409, "order_reused", "order")
			if n := b.queue.publishes(); n != 0 {
				t.Errorf("%d commands were published for a known order", n)
			}
		})
	}
}

// An operator purged the queue: the upstream sends the command of a parked payment again, and it is on its way.
func TestTheCommandOfAParkedPaymentIsRestored(t *testing.T) {
	b := newBorder(t)
	b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Parked))
	b.do("POST", "/v1/deposits", different).mustRefuse(t, 409, "order_reused", "order")
	if n := b.queue.publishes(); n != 0 {
		t.Errorf("another command was published %d times", n)
	}
	b.do("POST", "/v1/deposits", rewritten).mustBeDuplicate(t, true, payment.Parked)
	b.do("POST", "/v1/deposits", rewritten).mustBeDuplicate(t, true, payment.Parked)
	if n := b.queue.publishes(); n != 1 {
		t.Errorf("the command was published %d times, want once", n)
	}
}

func TestOrderKnownInTheQueue(t *testing.T) {
	b := newBorder(t)
	b.do("POST", "/v1/deposits", depositBody, "Idempotency-Key", "1").mustBeDuplicate(t, false, payment.Requested)
	b.do("POST", "/v1/deposits", rewritten, "Idempotency-Key", "2").mustBeDuplicate(t, true, payment.Requested)
	b.do("POST", "/v1/deposits", different, "Idempotency-Key", "1").mustRefuse(t, 409, "order_reused", "order")
	b.do("POST", "/v1/payouts", depositBody).mustRefuse(t, 409, "order_reused", "order")
}

func TestQueuedCommandThatCannotBeReadIsAnother(t *testing.T) {
	b := newBorder(t)
	b.queue.put(events.Message{Subject: events.CommandSubject(payment.Deposit, ref), Data: []byte("HongGilDong")})
	b.do("POST", "/v1/deposits", depositBody).mustRefuse(t, 409, "order_reused", "order")
	b.do("GET", "/v1/payments/fake-kr/D-1", "").mustRefuse(t, 404, "not_found", "")
}

// The worker parks a command: it writes to the log, then the message moves to another subject.
func TestCommandIsParkedMeanwhile(t *testing.T) {
	park := func(b *border) func() (events.Message, error) {
		return func() (events.Message, error) {
			m := b.queue.commands[ref]
			m.Subject = events.ParkedSubject(ref)
			delete(b.queue.commands, ref)
			b.log.append(paymentOf(t, payment.Deposit, depositBody, payment.Parked))
			return m, nil
		}
	}
	for body, check := range map[string]func(answer){
		depositBody: func(a answer) { a.mustBeDuplicate(t, true, payment.Parked) },
		different:   func(a answer) { a.mustRefuse(t, 409, "order_reused", "order") },
	} {
		b := newBorder(t)
		b.queue.put(queuedMessage(t, payment.Deposit, depositBody, "x"))
		b.queue.read = park(b)
		check(b.do("POST", "/v1/deposits", body))
	}
	b := newBorder(t)
	b.queue.put(queuedMessage(t, payment.Deposit, depositBody, "x"))
	b.queue.read = park(b)
	if view := b.do("GET", "/v1/payments/fake-kr/D-1", "").mustBe(t, 200); view["status"] != "parked" {
		t.Errorf("status %v", view["status"])
	}
}

// The worker ends with the order's command while ours is being taken.
func TestCommandLeavesTheQueueMeanwhile(t *testing.T) {
	for name, c := range map[string]struct {
		first string
		check func(answer)
	}{
		"the same":  {depositBody, func(a answer) { a.mustBeDuplicate(t, true, payment.Pending) }},
		"different": {different, func(a answer) { a.mustRefuse(t, 409, "order_reused", "order") }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBorder(t)
			b.queue.put(queuedMessage(t, payment.Deposit, c.first, "x"))
			b.queue.read = func() (events.Message, error) { // the worker has just finished with it
				b.log.append(paymentOf(t, payment.Deposit, c.first, payment.Pending))
				delete(b.queue.commands, ref)
				return events.Message{}, events.ErrNotQueued
			}
			c.check(b.do("POST", "/v1/deposits", depositBody))
			if n := b.queue.publishes(); n != 1 {
				t.Errorf("published %d times, want 1", n)
			}
		})
	}
}

func TestQueueAndLogThatNeverAgree(t *testing.T) {
	b := newBorder(t)
	b.queue.publish = func() error { return events.ErrQueued }
	b.do("POST", "/v1/deposits", depositBody).mustRefuse(t, 503, "unavailable", "")
	if n := b.queue.publishes(); n != 3 {
		t.Errorf("tried %d times, want 3", n)
	}
}

// A whole payment went through queue and log between our first look and our publishing.
func TestAnotherCommandInTheLogAfterPublishing(t *testing.T) {
	for name, c := range map[string]struct {
		winner string
		check  func(answer)
	}{
		"different": {different, func(a answer) { a.mustRefuse(t, 409, "order_reused", "order") }},
		"the same":  {depositBody, func(a answer) { a.mustBeDuplicate(t, false, payment.Settled) }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBorder(t)
			b.queue.stored = func() { b.log.append(paymentOf(t, payment.Deposit, c.winner, payment.Settled)) }
			c.check(b.do("POST", "/v1/deposits", depositBody))
		})
	}
}

func TestManyClientsAtOnceMakeOneCommand(t *testing.T) {
	b := newBorder(t)
	const clients = 32
	answers := make(chan answer, clients)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() { answers <- b.do("POST", "/v1/deposits", depositBody) })
	}
	all.Wait()
	close(answers)
	first := 0
	for a := range answers {
		var view struct{ Duplicate bool }
		if err := json.Unmarshal([]byte(a.body), &view); err != nil || a.status != 202 {
			t.Fatalf("%d: %s", a.status, a.body)
		}
		if !view.Duplicate {
			first++
		}
	}
	if first != 1 || len(b.queue.commands) != 1 {
		t.Errorf("%d answers say it was the first, %d commands are queued; want 1 and 1", first, len(b.queue.commands))
	}
}
