package worker_test

import (
	"context"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// A payment is its upstream's in every event, whatever comes of it.
func TestEveryEventNamesItsUpstream(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		cmd := d.order("o-1")
		cmd.Upstream = "shop"
		d.want(p.Command(context.Background(), d.message(cmd)), queue.Done)
		d.want(p.Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done)

		refused := d.order("o-2")
		refused.Upstream, refused.Amount = "shop", payment.TWD(100)
		d.want(p.Command(context.Background(), d.message(refused)), queue.Dead, events.DeadInvalid)

		unreadable := d.order("o-3")
		unreadable.Upstream = "shop"
		m := d.message(unreadable)
		m.Data = []byte("{")
		d.want(p.Command(context.Background(), m), queue.Dead, events.DeadUndecodable)
		for order, statuses := range map[string][]payment.Status{
			"o-1": {payment.Submitting, payment.Pending, payment.Settled}, "o-2": {payment.Failed}, "o-3": {payment.Failed},
		} {
			d.log.want(order, statuses...)
			for _, p := range d.log.history(order) {
				if p.Upstream != "shop" {
					t.Errorf("%s %s is of %q", order, p.Status, p.Upstream)
				}
			}
		}
	})
}

// The same command of another upstream is another command: it starts nothing, changes nothing, and does not become the
// other's. Our own programs, which name no upstream, may repeat any command.
func TestTheSameCommandOfAnotherUpstream(t *testing.T) {
	for name, forget := range map[string]func(d *testbed){
		"known to Redis":         func(*testbed) {},
		"known to the log alone": func(d *testbed) { d.server.FlushAll() },
		"Redis down":             func(d *testbed) { d.server.SetError("LOADING") },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				cmd := d.order("o-1")
				cmd.Upstream = "shop"
				d.provider.script("o-1", reply{err: errThrottled})
				first := d.message(cmd)
				d.want(d.start().Command(context.Background(), first), queue.Park)
				forget(d)
				cmd.Upstream = "game"
				d.want(d.start().Command(context.Background(), d.message(cmd)), queue.Dead, events.DeadOrderReused)
				other := d.message(cmd)
				other.Data = []byte("{")
				d.want(d.start().Command(context.Background(), other), queue.Dead, events.DeadUndecodable)
				d.log.want("o-1", payment.Submitting, payment.Parked)
				d.sent("o-1", 1, 0)
				cmd.Upstream = ""
				d.want(d.settle(d.start(), d.message(cmd)), queue.Done)
				d.sent("o-1", 2, 1)
				if p := d.log.now("o-1"); p.Upstream != "shop" || p.Status != payment.Pending {
					t.Errorf("the payment is %+v", p)
				}
			})
		})
	}
}

// A payment of before upstreams were known goes on with the command of any upstream that has its provider.
func TestCommandOfAnUpstreamForAPaymentWithoutOne(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		cmd := d.order("o-1")
		cmd.Upstream = "shop"
		d.want(p.Command(context.Background(), d.message(cmd)), queue.Done)
		d.sent("o-1", 1, 1)
	})
}

func TestClarificationOfAnotherUpstream(t *testing.T) {
	whenAsked(t, func(a asked) {
		cmd := a.order("o-2")
		cmd.Upstream = "shop"
		a.want(a.worker.Command(context.Background(), a.message(cmd)), queue.Done)
		a.want(a.worker.Webhook(context.Background(), a.webhook("o-2", payment.Observation{Kind: payment.Accepted, Action: question("last_name")})), queue.Done)
		c := lastName("o-2")
		for _, revision := range []int{0, 1, 3, 9} {
			c.Upstream, c.Revision = "game", revision
			a.want(a.give(a.reply(c)), queue.Dead, events.DeadInvalid)
			a.want(a.worker.Intake(context.Background(), a.reply(c)), queue.Dead, events.DeadInvalid)
		}
		a.ports.on("last", 1, failBefore)
		a.want(a.worker.Intake(context.Background(), a.reply(c)), queue.Retry)
		if len(a.calls) != 0 {
			t.Errorf("the provider was told %v", a.calls)
		}
		c.Upstream, c.Revision = "shop", 0
		a.want(a.worker.Intake(context.Background(), a.reply(c)), queue.Forward)
		a.want(a.give(a.reply(c)), queue.Done)
		if len(a.calls) != 1 {
			t.Error("the provider was not told what its own upstream says")
		}
	})
}

// An upstream takes no number that is reserved for another, not even with what is no command.
func TestReservedOrderNumbers(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.options.OrderPrefixes = payment.OrderPrefixes{"shop": "S-"}
		p := d.start()
		message := func(upstream, order string) events.Message {
			cmd := d.order(order)
			cmd.Upstream = upstream
			return d.message(cmd)
		}
		for _, free := range [][2]string{{"shop", "S-1"}, {"game", "G-1"}, {"game", "s-1"}, {"", "S-2"}} {
			d.want(p.Intake(context.Background(), message(free[0], free[1])), queue.Forward)
		}
		for _, taken := range [][2]string{{"game", "S-1"}, {"shop", "G-1"}} {
			m := message(taken[0], taken[1])
			d.want(p.Intake(context.Background(), m), queue.Dead, events.DeadInvalid)
			m.Data = []byte("{")
			d.want(p.Intake(context.Background(), m), queue.Dead, events.DeadUndecodable)
			d.log.want(taken[1])
		}
		d.want(p.Command(context.Background(), message("shop", "S-1")), queue.Done)

		// What was taken before the numbers were reserved goes on.
		d.options.OrderPrefixes = payment.OrderPrefixes{"shop": "T-"}
		p = d.start()
		d.want(p.Intake(context.Background(), message("shop", "S-1")), queue.Forward)
		p.ports.on("last", 1, failBefore)
		d.want(p.Intake(context.Background(), message("shop", "S-3")), queue.Retry)
		d.sent("S-1", 1, 1)
	})
}
