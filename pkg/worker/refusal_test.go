package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// refused is a message that must not become a payment.
type refused struct {
	edit   func(d *testbed, m *events.Message)
	reason events.DeadReason
	named  bool // the payment can be named, so it fails
	clock  bool // refused for a clock, and only where the log does not know the order
}

func replaced(old, new string) func(*testbed, *events.Message) {
	return func(d *testbed, m *events.Message) {
		if !strings.Contains(string(m.Data), old) {
			d.t.Fatalf("%s stands not in %s", old, m.Data)
		}
		m.Data = []byte(strings.Replace(string(m.Data), old, new, 1))
	}
}

func body(text string) func(*testbed, *events.Message) {
	return func(_ *testbed, m *events.Message) { m.Data = []byte(text) }
}

func commandOf(edit func(d *testbed, cmd *payment.Command)) func(*testbed, *events.Message) {
	return func(d *testbed, m *events.Message) {
		cmd := d.order("o-1")
		edit(d, &cmd)
		*m = d.message(cmd)
	}
}

func refusals() map[string]refused {
	return map[string]refused{
		"garbage":        {body("\x00\xff"), events.DeadUndecodable, true, false},
		"an array":       {body("[]"), events.DeadUndecodable, true, false},
		"too big":        {body(strings.Repeat(" ", events.MaxCommandBytes+1)), events.DeadTooBig, true, false},
		"unknown field":  {replaced(`"order":`, `"colour":"red","order":`), events.DeadInvalid, true, false},
		"negative":       {replaced(`"10000"`, `"-10000"`), events.DeadInvalid, true, false},
		"zero":           {replaced(`"10000"`, `"0"`), events.DeadInvalid, true, false},
		"over-precise":   {replaced(`"10000"`, `"10000.5"`), events.DeadInvalid, true, false},
		"a number":       {replaced(`"10000"`, `10000`), events.DeadInvalid, true, false},
		"a currency":     {replaced(`"KRW"`, `"XXX"`), events.DeadInvalid, true, false},
		"not taken here": {commandOf(func(_ *testbed, c *payment.Command) { c.Amount = payment.TWD(5) }), events.DeadInvalid, true, false},
		"a bad event": {func(_ *testbed, m *events.Message) { m.Header["ce-specversion"] = []string{"9"} },
			events.DeadUndecodable, true, false},
		"another order in the body": {replaced(`"o-1"`, `"o-2"`), events.DeadMismatch, false, false},
		"another, negative order in the body": {func(d *testbed, m *events.Message) {
			replaced(`"o-1"`, `"o-2"`)(d, m)
			replaced(`"10000"`, `"-1"`)(d, m)
		}, events.DeadMismatch, false, false},
		"an order that is none": {func(_ *testbed, m *events.Message) {
			long := strings.Repeat("x", 65)
			m.Subject = "deposit.requested"
			m.Data = []byte(strings.Replace(string(m.Data), `"o-1"`, `"`+long+`"`, 1))
		}, events.DeadInvalid, false, false},
		"no command's subject": {func(_ *testbed, m *events.Message) { m.Subject = "parked.acme-kr.o-1" }, events.DeadMismatch, false, false},
		"too old": {commandOf(func(d *testbed, c *payment.Command) {
			c.RequestedAt = d.now().Add(-d.options.Timing.Retention - time.Second)
		}), events.DeadTooOld, false, true},
		"from the future": {commandOf(func(d *testbed, c *payment.Command) {
			c.RequestedAt = d.now().Add(6 * time.Minute)
		}), events.DeadInvalid, true, true},
		"too old by its storing": {func(d *testbed, m *events.Message) {
			commandOf(func(_ *testbed, c *payment.Command) { c.RequestedAt = time.Time{} })(d, m)
			m.StoredAt = d.now().Add(-d.options.Timing.Retention - time.Second)
		}, events.DeadTooOld, false, true},
	}
}

func TestRefusals(t *testing.T) {
	for name, r := range refusals() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				m := d.message(d.order("o-1"))
				r.edit(d, &m)
				p := d.start()
				for range 2 { // the second time because the dead letter could not be published
					v := p.Command(context.Background(), m)
					if r.named && v.Kind == queue.Done { // the claim and the log know that it failed
						continue
					}
					d.want(v, queue.Dead, r.reason)
				}
				d.sent("o-1", 0, 0)
				if r.named {
					d.log.want("o-1", payment.Failed)
					d.reason("o-1", payment.ReasonInvalid, "")
				} else {
					d.log.want("o-1")
				}
				d.log.want("o-2")
				if d.server.Exists("payonce:claim:{acme-kr:o-2}") {
					t.Error("another order is claimed")
				}
			})
		})
	}
}

// A refused message under the number of a payment that goes on leaves the payment as it is.
func TestRefusalsLeaveAPaymentAsItIs(t *testing.T) {
	for name, r := range refusals() {
		t.Run(name, func(t *testing.T) {
			for _, flush := range []bool{false, true} {
				inBubble(t, func(d *testbed) {
					d.provider.script("o-1", reply{err: errThrottled})
					p, first := d.start(), d.message(d.order("o-1"))
					d.want(p.Command(context.Background(), first), queue.Park)
					m := d.message(d.order("o-1"))
					r.edit(d, &m)
					if flush {
						d.server.FlushAll()
					}
					v := p.Command(context.Background(), m)
					switch {
					case r.clock: // the order is known, so its command goes its way
						d.want(v, queue.Park)
					case v.Kind != queue.Dead || v.Reason != r.reason && v.Reason != events.DeadOrderReused:
						t.Errorf("the verdict is %+v", v)
					}
					d.log.want("o-1", payment.Submitting, payment.Parked)
					d.want(d.settle(p, first), queue.Done)
					d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting, payment.Pending)
				})
			}
		})
	}
}

func TestUnknownProviderIsRefused(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.Provider = "nobody"
		p := d.start()
		d.want(p.Command(context.Background(), d.message(cmd)), queue.Dead, events.DeadUnknownProvider)
		if is, _, err := d.log.Last(context.Background(), cmd.Ref); err != nil || is.Status != payment.Failed || is.Reason.Code != payment.ReasonInvalid {
			t.Errorf("%+v %v", is, err)
		}
	})
}

func TestTheConnectorsOwnCheckRefuses(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p, m := d.start(), d.message(d.order("bad-1"))
		d.want(p.Command(context.Background(), m), queue.Dead, events.DeadInvalid)
		d.log.want("bad-1", payment.Failed)
		d.reason("bad-1", payment.ReasonInvalid, "")
		d.sent("bad-1", 0, 0)
	})
}

func TestARefusalThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	for name, r := range refusals() {
		if !r.named {
			continue
		}
		for _, f := range []fault{failBefore, failAfter} {
			t.Run(name+" "+f.String(), func(t *testing.T) {
				inBubble(t, func(d *testbed) {
					m := d.message(d.order("o-1"))
					r.edit(d, &m)
					p := d.start()
					p.ports.on("append", 1, f)
					if delay := d.want(p.Command(context.Background(), m), queue.Retry); delay <= 0 {
						t.Error("delivered again at once")
					}
					v := p.Command(context.Background(), m)
					if v.Kind != queue.Dead && v.Kind != queue.Done {
						t.Errorf("the second verdict is %+v", v)
					}
					d.log.want("o-1", payment.Failed)
				})
			})
		}
	}
}

// Reads that stay behind for long must not lose a refusal.
func TestARefusalIsNotLostToStaleReads(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.ExpiresAt = d.now().Add(time.Minute)
		d.provider.script("o-1", repeat(reply{err: errBalance}, 2)...)
		p, m := d.start(), d.message(cmd)
		time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		d.want(p.Command(context.Background(), m), queue.Park)
		time.Sleep(time.Minute)
		d.server.FlushAll()
		d.log.behind = 40
		if v := p.Command(context.Background(), m); v.Kind == queue.Done && d.log.now("o-1").Status != payment.Failed {
			t.Errorf("done, and the log says %s", d.log.statuses("o-1"))
		}
		d.log.behind = 0
		d.want(d.settle(p, m), queue.Done)
		d.reason("o-1", payment.ReasonExpired, "")
	})
}
