package worker_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/limits"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

var errOurAccount = &connectors.Error{Class: connectors.Misconfigured, Code: payment.ReasonAccountMisconfigured, ProviderCode: "0004"}

// A mistake of ours fails no customer: payments wait, few requests are made, and after the correction all go on by
// themselves.
func TestOurAccountsErrorsFailNoPayment(t *testing.T) {
	limited(t, limits.Policy{}, func(d *testbed) {
		p := d.start()
		orders := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
		messages, due := map[string]events.Message{}, map[string]time.Time{}
		for _, order := range orders {
			d.provider.script(order, repeat(reply{err: errOurAccount}, 1000)...)
			messages[order], due[order] = d.message(d.order(order)), d.now()
		}
		play := func(until time.Time) {
			for d.now().Before(until) {
				for _, order := range orders {
					if at, waits := due[order]; !waits || d.now().Before(at) {
						continue
					}
					if v := p.Command(context.Background(), messages[order]); v.Kind == queue.Park {
						due[order] = v.At
					} else if d.want(v, queue.Done); v.Kind == queue.Done {
						delete(due, order)
					}
				}
				time.Sleep(time.Second)
			}
		}
		play(d.now().Add(2 * time.Hour))
		submits := 0
		for _, order := range orders {
			submits += d.provider.of(order).submitted
			if is := d.log.now(order); is.Status != payment.Parked || is.Reason.Code != payment.ReasonAccountMisconfigured || is.Submits != 0 {
				t.Errorf("%s: %s %+v after %d submits", order, is.Status, is.Reason, is.Submits)
			}
		}
		if submits < 5 || submits > 130 { // one a minute at most
			t.Errorf("%d requests in two hours", submits)
		}
		for _, order := range orders {
			d.provider.script(order) // the account is put right
		}
		play(d.now().Add(30 * time.Minute))
		for _, order := range orders {
			if is := d.log.now(order); is.Status != payment.Pending || d.provider.of(order).executed != 1 {
				t.Errorf("%s: %s, executed %d times", order, is.Status, d.provider.of(order).executed)
			}
		}
	})
}

// A deposit whose customer has gone ends with its expires_at, and one whose policy rejects ends at once.
func TestOurAccountsErrorsEndByExpiryOrPolicy(t *testing.T) {
	limited(t, limits.Policy{}, func(d *testbed) {
		p, cmd := d.start(), d.order("o-1")
		cmd.ExpiresAt = d.now().Add(10 * time.Minute)
		d.provider.script("o-1", repeat(reply{err: errOurAccount}, 1000)...)
		d.want(d.settle(p, d.message(cmd)), queue.Done)
		d.reason("o-1", payment.ReasonExpired, "")

		d.options.GiveUpPolicy = func(string, payment.Operation) worker.GiveUpPolicy {
			return worker.GiveUpPolicy{Down: worker.RejectDown}
		}
		p = d.start()
		d.provider.script("o-2", reply{err: errOurAccount}) // the second order that is refused
		d.want(p.Command(context.Background(), d.message(d.order("o-2"))), queue.Park)
		d.want(p.Command(context.Background(), d.message(d.order("o-3"))), queue.Done)
		d.reason("o-3", payment.ReasonAccountMisconfigured, "")
		d.sent("o-3", 0, 0)
	})
}

// A channel that is not open for us stops no other channel.
func TestAClosedChannelStopsNoOther(t *testing.T) {
	limited(t, limits.Policy{}, func(d *testbed) {
		d.provider.traits.Methods = map[payment.Operation][]string{payment.Deposit: {"va", "kakaopay"}}
		p, kakao, va := d.start(), d.order("o-1"), d.order("o-2")
		kakao.Method, va.Method = "kakaopay", "va"
		for _, order := range []string{"o-1", "o-3"} {
			kakao.Order = order
			d.provider.script(order, reply{err: errOurAccount})
			d.want(p.Command(context.Background(), d.message(kakao)), queue.Park)
		}
		d.want(p.Command(context.Background(), d.message(va)), queue.Done)
		d.sent("o-2", 1, 1)
	})
}

// One order that makes the provider refuse our account waits alone.
func TestOneOrderStopsNoOther(t *testing.T) {
	limited(t, limits.Policy{}, func(d *testbed) {
		p := d.start()
		d.provider.script("o-1", repeat(reply{err: errOurAccount}, 1000)...)
		for range 20 {
			v := p.Command(context.Background(), d.message(d.order("o-1")))
			if d.want(v, queue.Park); v.Kind != queue.Park {
				return
			}
			time.Sleep(v.At.Sub(d.now()))
		}
		d.want(p.Command(context.Background(), d.message(d.order("o-2"))), queue.Done)
		d.sent("o-2", 1, 1)
		if is := d.log.now("o-1"); is.Status != payment.Parked || is.Reason.Code != payment.ReasonAccountMisconfigured {
			t.Errorf("%s %+v", is.Status, is.Reason)
		}
	})
}
