package worker_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// forge writes a claim's record, whatever it says of an order: with the fields of today, and with those in which
// older versions remembered the command and its payment.
func (d *testbed) forge(order string, fields ...string) {
	d.server.HSet("payonce:claim:{"+acme+":"+order+"}", fields...)
}

// remembers makes the record say that a payment of this command has that status, at the sequence of its last event.
func (d *testbed) remembers(cmd payment.Command, p payment.Payment) {
	d.t.Helper()
	out, err := events.EncodePayment(p, "forged")
	if err != nil {
		d.t.Fatal(err)
	}
	seq := max(last(d.log.lists[cmd.Ref]).seq, 1)
	d.forge(cmd.Order, "fingerprint", cmd.Fingerprint(), "owner", "forged webhooks", "fence", "3", "lease_until", "0",
		"retention", "3600000", "sequence", fmt.Sprint(seq), "snapshot", string(out.Data))
}

// as is a payment as a forged or an old record shows it.
func (d *testbed) as(cmd payment.Command, s payment.Status) payment.Payment {
	p := payment.New(cmd)
	p.Status, p.Revision, p.UpdatedAt = s, 1, d.now()
	return p
}

// A record that shows a pending or a settled payment as parked must not have it sent again.
func TestAForgedParkedPaymentIsNotSentAgain(t *testing.T) {
	for _, stands := range []payment.Status{payment.Pending, payment.Settled} {
		t.Run(string(stands), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				cmd := d.order("o-1")
				m := d.message(cmd)
				d.want(d.start().Command(context.Background(), m), queue.Done)
				if stands == payment.Settled {
					d.want(d.start().Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done)
				}
				history := d.log.statuses("o-1")
				d.remembers(cmd, d.as(cmd, payment.Parked))
				d.want(d.settle(d.start(), m), queue.Done)
				d.sent("o-1", 1, 1)
				if is := d.log.statuses("o-1"); is != history {
					t.Errorf("the log said %s and says %s", history, is)
				}
			})
		})
	}
}

// A record that shows a parked payment as one of which nothing is left to do, or that waits, must not lose its
// command: it is parked for as long as the log says, and sent then.
func TestAForgedRecordLosesNoParkedPayment(t *testing.T) {
	for _, shown := range payment.Statuses() {
		if shown == payment.Requested {
			continue
		}
		t.Run(string(shown), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.provider.script("o-1", reply{err: errThrottled})
				cmd := d.order("o-1")
				m := d.message(cmd)
				waits := d.want(d.start().Command(context.Background(), m), queue.Park)
				forged := d.as(cmd, shown)
				if shown == payment.Parked {
					forged.ResumeAt = d.now().Add(1000 * time.Hour)
				}
				d.remembers(cmd, forged)
				if now := d.want(d.start().Command(context.Background(), m), queue.Park); now != waits {
					t.Errorf("parked for %s, and the log says %s", now, waits)
				}
				time.Sleep(waits)
				d.want(d.settle(d.start(), m), queue.Done)
				d.sent("o-1", 2, 1)
				d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting, payment.Pending)
			})
		})
	}
}

// The log was restored from any older copy, and Redis was kept. No accepted order vanishes when the upstream sends it
// again, and where the copy has the intent, the provider is asked and not sent anything.
func TestARestoredLogIsNotOverruledByTheClaims(t *testing.T) {
	for kept := range 4 {
		t.Run(fmt.Sprint(kept, " events kept"), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.provider.script("o-1", reply{err: errThrottled}, reply{execute: true, says: accepted("o-1")})
				cmd := d.order("o-1")
				m := d.message(cmd)
				d.want(d.settle(d.start(), m), queue.Done) // submitting, parked, submitting, pending
				d.want(d.start().Command(context.Background(), m), queue.Done)
				all := d.log.lists[cmd.Ref]
				d.log.lists[cmd.Ref] = all[:kept:kept]
				d.remembers(cmd, d.as(cmd, payment.Pending))
				d.want(d.settle(d.start(), m), queue.Done)
				if is := d.log.now("o-1"); is.Status != payment.Pending {
					t.Errorf("the order vanished: the log says %q", d.log.statuses("o-1"))
				}
				if kept == 3 {
					d.sent("o-1", 2, 1)
				}
			})
		})
	}
}

// Whose order it is says the log. A record of another command, with or without its payment, refuses none.
func TestAForgedRecordRefusesNoCommand(t *testing.T) {
	for _, shown := range []payment.Status{payment.Parked, payment.InDoubt, payment.Settled} {
		t.Run(string(shown), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				concurrent := d.order("o-1")
				concurrent.Amount = payment.KRW(20000)
				d.remembers(concurrent, d.as(concurrent, shown))
				m := d.message(d.order("o-1"))
				d.want(d.settle(d.start(), m), queue.Done)
				d.log.want("o-1", payment.Submitting, payment.Pending)
				d.remembers(concurrent, d.as(concurrent, shown))
				d.want(d.settle(d.start(), d.message(concurrent)), queue.Dead, events.DeadOrderReused) // the log knows whose it is
				d.want(d.settle(d.start(), m), queue.Done)
				d.sent("o-1", 1, 1)
			})
		})
	}
}

// Two commands under one order number, and the store knows the one that the log refused.
func TestTheStoreDoesNotDecideWhichCommandIsFirst(t *testing.T) {
	inBubble(t, func(d *testbed) {
		claim, err := d.claims.Claim(context.Background(), d.order("o-1").Ref, idempotency.Request{
			Owner: "concurrent writer", Lease: d.options.Timing.Lease, Retention: d.options.Timing.ClaimRetention,
		})
		if err != nil {
			t.Fatal(err)
		}
		m := d.message(d.order("o-1"))
		d.want(d.start().Command(context.Background(), m), queue.Retry) // it is the concurrent writer's for as long as it works
		if err := d.claims.Release(context.Background(), d.order("o-1").Ref, claim.Held); err != nil {
			t.Fatal(err)
		}
		d.want(d.settle(d.start(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

// A new order costs no read of the log: the append of its intent proves that it is new. One that was worked on
// before is read before it takes a place in the provider's budget.
func TestOnlyWhatWasWorkedOnBeforeIsRead(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p, m := d.start(), d.message(d.order("o-1"))
		d.want(p.Command(context.Background(), m), queue.Done)
		if n := p.ports.count("last"); n != 0 {
			t.Errorf("a new order: %v", p.ports.calls)
		}
		p = d.start()
		d.want(p.Command(context.Background(), m), queue.Done)
		if p.ports.count("last") != 1 || p.ports.count("append") != 0 {
			t.Errorf("the same command again: %v", p.ports.calls)
		}
	})
}
