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

func TestOrderReused(t *testing.T) {
	for name, forget := range map[string]func(d *testbed){
		"known to Redis":                         func(*testbed) {},
		"known to the log alone":                 func(d *testbed) { d.server.FlushAll() },
		"Redis down":                             func(d *testbed) { d.server.SetError("LOADING") },
		"known to Redis, the log cannot be read": nil,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				p := d.start()
				d.provider.script("o-1", reply{err: errThrottled})
				first := d.message(d.order("o-1"))
				d.want(p.Command(context.Background(), first), queue.Park)
				for edit, change := range reusing(d) {
					cmd := d.order("o-1")
					change(&cmd)
					q := d.start()
					if forget == nil {
						q.ports.on("last", 1, failBefore)
						d.want(q.Command(context.Background(), d.message(cmd)), queue.Retry)
						continue
					}
					forget(d)
					v := q.Command(context.Background(), d.message(cmd))
					d.want(v, queue.Dead, events.DeadOrderReused)
					if n := q.ports.count("submit") + q.ports.count("lookup"); n != 0 {
						t.Errorf("%s: calls %v", edit, q.ports.calls)
					}
				}
				d.log.want("o-1", payment.Submitting, payment.Parked)
				d.sent("o-1", 1, 0)
				d.want(d.settle(d.start(), first), queue.Done) // the first is still taken for the first
				d.sent("o-1", 2, 1)
				d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting, payment.Pending)
			})
		})
	}
}

// reusing are commands that ask for something else under the same order number.
func reusing(d *testbed) map[string]func(*payment.Command) {
	return map[string]func(*payment.Command){
		"another amount":   func(c *payment.Command) { c.Amount = payment.KRW(10001) },
		"a payout":         func(c *payment.Command) { c.Operation = payment.Payout },
		"other metadata":   func(c *payment.Command) { c.Metadata = nil },
		"expired":          func(c *payment.Command) { c.ExpiresAt = d.now().Add(-time.Hour) },
		"not acceptable":   func(c *payment.Command) { c.Amount = payment.TWD(100) },
		"another customer": func(c *payment.Command) { c.Customer.Name += "2" },
	}
}

func TestTheSameCommandWrittenDifferentlyIsTheSame(t *testing.T) {
	for _, flush := range []bool{false, true} {
		inBubble(t, func(d *testbed) {
			cmd := d.order("o-1")
			cmd.ExpiresAt = d.now().Add(time.Hour)
			p, m := d.start(), d.message(cmd)
			d.want(p.Command(context.Background(), m), queue.Done)
			if flush {
				d.server.FlushAll()
			}
			cmd.RequestedAt = cmd.RequestedAt.Add(time.Minute)
			again := d.message(cmd)
			text := string(again.Data)
			order, amount := `"order":"o-1",`, `"amount":{"value":"10000","currency":"KRW"},`
			if !strings.Contains(text, order) || !strings.Contains(text, amount) {
				t.Fatalf("the command is %s", text)
			}
			text = strings.Replace(strings.Replace(text, order, "", 1), amount, "", 1)
			again.Data = []byte(`{ "amount" : {"currency":"KRW", "value":"10000"}, "order":"o-1", ` + text[1:])
			d.want(p.Command(context.Background(), again), queue.Done)
			d.sent("o-1", 1, 1)
			d.log.want("o-1", payment.Submitting, payment.Pending)
		})
	}
}
