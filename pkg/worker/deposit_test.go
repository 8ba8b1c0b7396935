package worker_test

import (
	"context"
	"slices"
	"testing"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

func TestDepositSettlesOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p, m := d.start(), d.message(d.order("o-1"))
		again := func(statuses ...payment.Status) {
			t.Helper()
			lookups := d.provider.lookups
			for range 3 {
				d.want(p.Command(context.Background(), m), queue.Done)
			}
			d.log.want("o-1", statuses...)
			d.sent("o-1", 1, 1)
			if d.provider.lookups != lookups {
				t.Error("a redelivered command asked the provider")
			}
		}
		again(payment.Submitting, payment.Pending)
		is := d.log.now("o-1")
		if is.ProviderReference != "ref-o-1" || is.Action == nil || is.Attempts != 1 || !is.Known {
			t.Errorf("pending: %+v", is)
		}
		d.want(p.Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done)
		again(payment.Submitting, payment.Pending, payment.Settled)
		if is := d.log.now("o-1"); is.SettledAmount != payment.KRW(10000) || is.Metadata[upstreams[1]] != upstreams[0] {
			t.Errorf("settled: %+v", is)
		}
		d.want(p.Webhook(context.Background(), d.webhook("o-1", payment.Observation{Kind: payment.Reversal})), queue.Done)
		again(payment.Submitting, payment.Pending, payment.Settled, payment.Reversed)
		d.want(p.Webhook(context.Background(), d.webhook("o-1", paid(func(o *payment.Observation) { o.SettledAmount = payment.KRW(1) }))), queue.Done)
		again(payment.Submitting, payment.Pending, payment.Settled, payment.Reversed, payment.Conflict)
	})
}

// What is learned is written before the claim is given back, and the claim before the message.
func TestTheOrderOfTheSteps(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		if want := []string{"claim", "append", "submit", "append", "release"}; !slices.Equal(p.ports.calls, want) {
			t.Errorf("calls %v, want %v", p.ports.calls, want)
		}
	})
}
