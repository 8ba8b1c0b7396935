package worker_test

import (
	"context"
	"testing"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// A look-up says that money went back of a payment whose settlement was never reported: two events, and the process can end
// between them. Whichever message comes again writes the second, although no look-up is made any more.
func TestAReversalLearnedByALookUpIsCompleted(t *testing.T) {
	back := payment.Observation{Kind: payment.Reversal, Reason: &payment.Reason{Code: payment.ReasonReversed, ProviderCode: "R7"}}
	for name, first := range map[string]func(d *testbed, p *process) (again func(p *process) queue.Verdict){
		"a webhook": func(d *testbed, _ *process) func(*process) queue.Verdict {
			m := d.webhook("o-1", unreadable())
			return func(p *process) queue.Verdict { return p.Webhook(context.Background(), m) }
		},
		"a timer": func(d *testbed, _ *process) func(*process) queue.Verdict {
			m := d.event("o-1")
			return func(p *process) queue.Verdict { return p.Overdue(context.Background(), m, threshold) }
		},
		"a command": func(d *testbed, _ *process) func(*process) queue.Verdict {
			m := d.message(d.order("o-1"))
			return func(p *process) queue.Verdict { return p.Command(context.Background(), m) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.provider.script("o-1", reply{err: errTimedOut})
				d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Park)
				again := first(d, nil)
				d.lookupSays(back, nil)
				interrupted := d.start()
				lost := 2 // a webhook that cannot be mapped is an event of its own
				if name == "a webhook" {
					lost = 3
				}
				interrupted.ports.on("append", lost, failBefore)
				d.want(again(interrupted), queue.Retry)
				if is := d.log.now("o-1"); !is.ReversalPending() {
					t.Fatalf("not interrupted between the two: %s", is.Status)
				}
				d.lookupSays(payment.Observation{}, errPlain) // what was said then is not said again
				v := again(d.start())
				if v.Kind != queue.Done && v.Kind != queue.Dead { // an unrecognised webhook of an outcome is kept
					t.Errorf("%+v", v)
				}
				if is := d.log.now("o-1"); is.Status != payment.Reversed || is.Reason.ProviderCode != "R7" {
					t.Errorf("%s, %+v", is.Status, is.Reason)
				}
			})
		})
	}
}
