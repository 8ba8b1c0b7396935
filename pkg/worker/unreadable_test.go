package worker_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// A payment whose last event cannot be read is held, whatever brought its message: nothing is written after the event and
// nothing is called. Once a person has stepped over it the payment goes on by itself, and is one payment at the provider.
func TestUnreadableEventHoldsItsPayment(t *testing.T) {
	parkedFirst := func(d *testbed) {
		d.provider.script("o-1", reply{err: errThrottled})
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
	}
	for name, c := range map[string]struct {
		before   func(d *testbed)
		executed bool // the event that cannot be read was the intent of a worker that sent it
		subject  payment.Status
		skipped  payment.Status // what the person's event says
		ends     payment.Status
		sent     int
	}{
		"nothing before":             {func(*testbed) {}, false, payment.Submitting, payment.InDoubt, payment.InDoubt, 0},
		"nothing before, and sent":   {func(*testbed) {}, true, payment.Submitting, payment.InDoubt, payment.Pending, 1},
		"parked":                     {parkedFirst, false, payment.Submitting, payment.InDoubt, payment.Pending, 2},
		"parked, and sent":           {parkedFirst, true, payment.Submitting, payment.InDoubt, payment.Pending, 2},
		"parked, the provider spoke": {parkedFirst, false, payment.Pending, payment.InDoubt, payment.InDoubt, 1},
		"pending": {func(d *testbed) {
			d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		}, false, payment.Pending, payment.Pending, payment.Pending, 1},
		"failed": {func(d *testbed) {
			cmd := d.order("o-1")
			cmd.ExpiresAt = d.now().Add(-time.Hour)
			d.start().Command(context.Background(), d.message(cmd))
		}, false, payment.Submitting, payment.Failed, payment.Failed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				c.before(d)
				cmd := d.order("o-1")
				if first := d.log.now("o-1"); first.Status == payment.Failed {
					cmd.ExpiresAt = d.now().Add(-time.Hour)
				} else if first.Status != "" {
					cmd.RequestedAt = first.RequestedAt
				}
				d.log.write("o-1", c.subject)
				if c.executed {
					d.provider.take(cmd)
				}
				p := d.start()
				submitted, events0 := d.provider.of("o-1").submitted, len(d.log.lists[cmd.Ref])
				for range 3 {
					v := p.Command(context.Background(), d.message(cmd))
					if pause := d.want(v, queue.Park); pause < 10*time.Second || pause > 5*time.Minute {
						t.Errorf("held for %s", pause)
					}
					d.want(p.Webhook(context.Background(), d.webhook("o-1", paid())), queue.Park)
					d.server.FlushAll()
				}
				event := events.Message{Subject: events.PaymentSubject(payment.Pending, cmd.Ref), Sequence: 1, Deliveries: 1, StoredAt: d.now()}
				d.want(p.Overdue(context.Background(), event, threshold), queue.Done)
				if n := p.ports.count("submit") + p.ports.count("lookup"); n != 0 || len(d.log.lists[cmd.Ref]) != events0 {
					t.Errorf("calls %v, %d events", p.ports.calls, len(d.log.lists[cmd.Ref])-events0)
				}

				if next := d.log.stepOver("o-1", payment.New(cmd), d.now()); next.Status != c.skipped {
					t.Errorf("stepped over to %s", next.Status)
				}
				m := d.message(cmd)
				for range 60 { // as the queue would, for as long as a doubt needs
					v := p.Command(context.Background(), m)
					if v.Kind == queue.Done {
						break
					}
					time.Sleep(max(v.Delay, v.At.Sub(d.now()), time.Second))
				}
				got, _, err := d.log.Last(context.Background(), cmd.Ref)
				if is := d.provider.of("o-1"); err != nil || got.Status != c.ends || is.submitted != c.sent || is.executed > 1 || is.submitted < submitted {
					t.Errorf("it is %s (%+v): sent %d times, executed %d; %v", got.Status, got.Reason, is.submitted, is.executed, err)
				}
			})
		})
	}
}

// The answer to a provider's question waits while the payment cannot be read, and not for longer than it is worth something.
func TestUnreadableEventHoldsAClarification(t *testing.T) {
	whenAsked(t, func(a asked) {
		m := a.reply(lastName("o-1"))
		a.log.write("o-1", payment.Pending)
		a.want(a.worker.Command(context.Background(), m), queue.Retry)
		time.Sleep(time.Hour)
		a.want(a.worker.Command(context.Background(), m), queue.Dead, events.DeadTooOld)
		if len(a.calls) != 0 {
			t.Errorf("the provider was told %v", a.calls)
		}
	})
}
