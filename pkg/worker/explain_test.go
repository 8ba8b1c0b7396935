package worker_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// unreadable is a signed "paid" whose amount cannot be read.
func unreadable() payment.Observation {
	return payment.Observation{
		Kind: payment.Indeterminate, Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: "2", Message: "the amount cannot be read"},
	}
}

// An unrecognised statement of a provider about an open payment is kept with its source and reason, looked up at
// once, and a person is told when the look-up does not end the payment.
func TestUnrecognisedWebhooksAreLookedUpAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		lookup payment.Observation
		want   []payment.Status
		told   bool
	}{
		"the look-up says paid":          {paid(), []payment.Status{"submitting", "pending", "pending", "settled"}, false},
		"the look-up says declined":      {payment.Observation{Kind: payment.Declined}, []payment.Status{"submitting", "pending", "pending", "failed"}, false},
		"the look-up says pending":       {accepted("o-1"), []payment.Status{"submitting", "pending", "pending", "pending"}, true},
		"the look-up says the same":      {unreadableKnown(), []payment.Status{"submitting", "pending", "pending", "pending", "pending"}, true},
		"the look-up knows nothing":      {payment.Observation{Kind: payment.Unknown}, []payment.Status{"submitting", "pending", "pending", "pending"}, true},
		"the look-up has another amount": {payment.Observation{Kind: payment.Paid, Amount: payment.KRW(1)}, []payment.Status{"submitting", "pending", "pending", "in_doubt"}, false}, // which is an alarm by itself
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				p := d.start()
				d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
				d.lookupSays(c.lookup, nil)
				hook := d.webhook("o-1", unreadable())
				for range 3 { // the acknowledgement is lost, and the provider repeats itself
					d.want(p.Webhook(context.Background(), hook), queue.Done)
				}
				d.log.want("o-1", c.want...)
				is := d.log.now("o-1")
				if len(is.Annotations) == 0 || is.Annotations[0].Source != payment.FromWebhook || is.Annotations[0].Reason.Message != "the amount cannot be read" {
					t.Errorf("annotations: %+v", is.Annotations)
				}
				if c.told != (!is.OverdueAt.IsZero()) || (c.told || is.Status == payment.InDoubt) != (d.errorsLogged() == 1) || d.provider.lookups != 1 {
					t.Errorf("told at %s, %d look-ups, logs: %s", is.OverdueAt, d.provider.lookups, d.logs)
				}
				if c.told && is.Status == payment.Pending {
					d.reason("o-1", payment.ReasonUnexplained, "2")
				}
			})
		})
	}
}

func unreadableKnown() payment.Observation {
	o := unreadable()
	o.Known = true
	return o
}

// An amount that is not the ordered one is an alarm at once; the provider is asked at once what it says itself. That
// the payment is still open does not take back what was said of the other amount.
func TestAnotherAmountIsLookedUpAtOnce(t *testing.T) {
	other := paid(func(o *payment.Observation) { o.Amount = payment.KRW(1) })
	for name, c := range map[string]struct {
		lookup payment.Observation
		want   []payment.Status
	}{
		"the look-up says paid":     {paid(), []payment.Status{"submitting", "pending", "in_doubt", "settled"}},
		"the look-up says the same": {other, []payment.Status{"submitting", "pending", "in_doubt", "in_doubt"}},
		"the look-up says pending":  {accepted("o-1"), []payment.Status{"submitting", "pending", "in_doubt"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				p := d.start()
				d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
				d.lookupSays(c.lookup, nil)
				d.want(p.Webhook(context.Background(), d.webhook("o-1", other)), queue.Done)
				d.log.want("o-1", c.want...)
				if d.provider.lookups != 1 {
					t.Errorf("%d look-ups", d.provider.lookups)
				}
				is := d.log.now("o-1")
				if len(is.Annotations) == 0 || is.Annotations[0].Kind != payment.Paid || !strings.Contains(is.Annotations[0].Reason.Message, "amount 1 KRW") {
					t.Errorf("annotations: %+v", is.Annotations)
				}
				if is.Status == payment.InDoubt {
					d.reason("o-1", payment.ReasonAmountMismatch, "")
				}
			})
		})
	}
}

// A doubt that only a person ends has what the provider says when it is asked, beside what it said by itself.
func TestADoubtForAPersonIsLookedUpAtOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.traits.OneReference = true
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.lookupSays(paid(), nil)
		second := paid(func(o *payment.Observation) { o.Reference = "another" })
		for range 3 {
			d.want(p.Webhook(context.Background(), d.webhook("o-1", second)), queue.Done)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.InDoubt, payment.InDoubt)
		d.reason("o-1", payment.ReasonSecondReference, "")
		is := d.log.now("o-1")
		if len(is.Annotations) != 2 || is.Annotations[1].Source != payment.FromLookup || is.Annotations[1].Kind != payment.Paid || d.provider.lookups != 1 {
			t.Errorf("annotations: %+v, %d look-ups", is.Annotations, d.provider.lookups)
		}
	})
}

// A callback of a payout about an order that is a deposit is about the order all the same: kept, looked up and reported.
func TestAWebhookOfTheOtherOperationIsKept(t *testing.T) {
	asPayout := func(c *call, _ http.Header) { c.Operation = payment.Payout }
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.lookupSays(accepted("o-1"), nil)
		for range 3 {
			d.want(p.Webhook(context.Background(), d.webhook("o-1", paid(), asPayout)), queue.Done)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Pending)
		is := d.log.now("o-1")
		if len(is.Annotations) != 1 || is.Annotations[0].Reason.Message != "paid, said of a payout" || d.provider.lookups != 1 {
			t.Errorf("annotations: %+v, %d look-ups", is.Annotations, d.provider.lookups)
		}
		d.reason("o-1", payment.ReasonUnexplained, "")
		d.want(p.Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done)
		v := p.Webhook(context.Background(), d.webhook("o-1", payment.Observation{Kind: payment.Declined}, asPayout))
		d.want(v, queue.Dead, events.DeadUnexplained)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Pending, payment.Settled)
	})
}

// A provider that goes on with a payment which it did not end itself may move money: a person is told. After its own
// word, news from before come late, and are no evidence.
func TestNewsOfAPaymentThatFailedUnsaid(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		late := d.order("expired")
		late.ExpiresAt = d.now()
		d.want(p.Command(context.Background(), d.message(late)), queue.Done)
		d.log.want("expired", payment.Failed)
		v := p.Webhook(context.Background(), d.webhook("expired", accepted("expired")))
		d.want(v, queue.Dead, events.DeadUnexplained)
		d.log.want("expired", payment.Failed)
		d.want(p.Command(context.Background(), d.message(d.order("declined"))), queue.Done)
		d.want(p.Webhook(context.Background(), d.webhook("declined", payment.Observation{Kind: payment.Declined})), queue.Done)
		d.want(p.Webhook(context.Background(), d.webhook("declined", accepted("declined"))), queue.Done)
	})
}

// A payment in any open status keeps what is said of it, and only a final status leaves it to the dead letters.
func TestUnrecognisedWebhooksOfEveryStatus(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		doubt := d.message(d.order("doubt"))
		d.provider.script("doubt", reply{err: errTimedOut})
		d.want(p.Command(context.Background(), doubt), queue.Park)
		d.provider.script("parked", reply{err: errBalance})
		d.want(p.Command(context.Background(), d.message(d.order("parked"))), queue.Park)
		d.want(p.Command(context.Background(), d.message(d.order("pending"))), queue.Done)
		d.lookupSays(payment.Observation{}, errPlain)
		for _, order := range []string{"doubt", "parked", "pending"} {
			d.want(p.Webhook(context.Background(), d.webhook(order, unreadable())), queue.Park) // the provider gives no answer
			is := d.log.now(order)
			if len(is.Annotations) != 1 || !is.Unexplained() || is.Status != map[string]payment.Status{"pending": payment.Pending}[order] && is.Status != payment.InDoubt {
				t.Errorf("%s: %s, %+v", order, is.Status, is.Annotations)
			}
		}
		d.lookupSays(paid(), nil)
		for end, o := range map[string]payment.Observation{"settled": paid(), "failed": {Kind: payment.Declined}, "reversed": {Kind: payment.Reversal}} {
			d.want(p.Command(context.Background(), d.message(d.order(end))), queue.Done)
			d.want(p.Webhook(context.Background(), d.webhook(end, o)), queue.Done)
			revision := d.log.now(end).Revision
			v := p.Webhook(context.Background(), d.webhook(end, unreadable()))
			d.want(v, queue.Dead, events.DeadUnexplained)
			if is := d.log.now(end); is.Revision != revision || string(is.Status) != end || !strings.Contains(v.Detail, "is "+end) || !strings.Contains(v.Detail, "cannot be read") {
				t.Errorf("%s of revision %d, %q", is.Status, is.Revision, v.Detail)
			}
		}
		d.want(p.Command(context.Background(), d.message(d.order("conflict"))), queue.Done)
		for _, o := range []payment.Observation{paid(), {Kind: payment.Declined}, unreadable()} {
			d.want(p.Webhook(context.Background(), d.webhook("conflict", o)), queue.Done)
		}
		if is := d.log.now("conflict"); is.Status != payment.Conflict || len(is.Annotations) != 1 {
			t.Errorf("%s, %+v", is.Status, is.Annotations)
		}
	})
}

// While the provider does not answer the webhook stays in the broker, and a person is told within minutes all the same.
func TestAnUnansweredLookUpDoesNotKeepThePersonAway(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.lookupSays(payment.Observation{}, errPlain)
		hook, began := d.webhook("o-1", unreadable()), time.Now()
		for tries := 0; d.log.now("o-1").OverdueAt.IsZero(); tries++ {
			if v := p.Webhook(context.Background(), hook); v.Kind == queue.Park {
				time.Sleep(v.At.Sub(d.now()))
			}
			if tries > 20 {
				t.Fatal("nobody is told")
			}
		}
		if took := time.Since(began); took > 10*time.Minute {
			t.Errorf("told after %s", took)
		}
		d.want(p.Webhook(context.Background(), hook), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Pending)
	})
}

// A provider that is closed is asked when it opens; the webhook waits in the broker.
func TestAnUnrecognisedWebhookWaitsForTheOpening(t *testing.T) {
	atHours(t, time.Date(2000, 1, 7, 23, 0, 0, 0, kst), "", func(d *testbed) { // a Friday
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		time.Sleep(2 * time.Hour)
		v := p.Webhook(context.Background(), d.webhook("o-1", unreadable()))
		d.want(v, queue.Park)
		monday := time.Date(2000, 1, 10, 8, 0, 0, 0, kst)
		if v.At.Before(monday) || v.At.After(monday.Add(d.options.Timing.ResumeSpread)) || d.provider.lookups != 0 {
			t.Errorf("looked up at %s after %d look-ups", v.At, d.provider.lookups)
		}
		time.Sleep(time.Until(v.At))
		d.lookupSays(paid(), nil)
		d.want(p.Webhook(context.Background(), d.webhook("o-1", unreadable())), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Settled)
	})
}

// A provider that does not answer when it opens is asked again within minutes, however long the webhook waited for
// the opening, and a person is told.
func TestAnUnansweredLookUpAfterTheOpeningIsRepeatedSoon(t *testing.T) {
	atHours(t, time.Date(2000, 1, 7, 23, 0, 0, 0, kst), "", func(d *testbed) { // a Friday
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		time.Sleep(2 * time.Hour)
		hook := d.webhook("o-1", unreadable())
		time.Sleep(d.want(p.Webhook(context.Background(), hook), queue.Park))
		d.lookupSays(payment.Observation{}, errPlain)
		for began := time.Now(); d.log.now("o-1").OverdueAt.IsZero(); {
			if v := p.Webhook(context.Background(), hook); v.Kind == queue.Park {
				time.Sleep(v.At.Sub(d.now()))
			}
			if time.Since(began) > 10*time.Minute {
				t.Fatalf("nobody is told %s after the opening", time.Since(began))
			}
		}
		d.reason("o-1", payment.ReasonUnexplained, "2")
	})
}

// An unrecognised answer to a look-up is kept and reported to a person as well, whichever process asked.
func TestUnrecognisedLookUpsAreTold(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.lookupSays(unreadableKnown(), nil)
		d.pendingFor("o-1", time.Hour)
		d.want(p.Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		d.want(p.Overdue(context.Background(), d.event("o-1"), threshold), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Pending)
		d.reason("o-1", payment.ReasonUnexplained, "2")

		d.provider.script("o-2", reply{execute: true, err: errTimedOut})
		m := d.message(d.order("o-2"))
		for range 5 {
			time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		}
		d.log.want("o-2", payment.Submitting, payment.InDoubt, payment.InDoubt, payment.InDoubt)
		d.reason("o-2", payment.ReasonUnexplained, "2")
		d.sent("o-2", 1, 1)
	})
}

// A person who is told because the payment is open for too long, before a look-up has an answer, learns of the
// unreadable statement, too: afterwards it counts as told.
func TestTheThresholdTellsOfWhatIsUnexplained(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.pendingFor("o-1", threshold)
		d.lookupSays(payment.Observation{}, errPlain)
		d.want(p.Webhook(context.Background(), d.webhook("o-1", unreadable())), queue.Park)
		p.Overdue(context.Background(), d.event("o-1"), threshold)
		d.reason("o-1", payment.ReasonUnexplained, "2")
		if is := d.log.now("o-1"); is.Unexplained() || is.OverdueAt.IsZero() {
			t.Errorf("%+v", is)
		}
	})
}

// A provider that says something else of one payment again and again costs no more look-ups and events than a payment
// keeps annotations; what it says further is kept as a dead letter.
func TestManyUnrecognisedWebhooksOfOnePayment(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.lookupSays(accepted("o-1"), nil)
		said := func(n int) payment.Observation {
			o := unreadable()
			o.Reason.Message = strings.Repeat("?", n+1)
			return o
		}
		dead := 0
		for n := range 100 {
			v := p.Webhook(context.Background(), d.webhook("o-1", said(n)))
			if dead += btoi(v.Kind == queue.Dead && v.Reason == events.DeadUnexplained); v.Kind != queue.Done && v.Kind != queue.Dead {
				t.Fatalf("%+v", v)
			}
		}
		is := d.log.now("o-1")
		if dead != 100-payment.MaxAnnotations || d.provider.lookups != payment.MaxAnnotations || is.Revision > 2+2*payment.MaxAnnotations {
			t.Errorf("%d dead letters, %d look-ups, %d events", dead, d.provider.lookups, is.Revision)
		}
		d.want(p.Webhook(context.Background(), d.webhook("o-1", said(3))), queue.Done) // known already
		d.want(p.Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done)
		if is := d.log.now("o-1"); is.Status != payment.Settled {
			t.Errorf("%s", is.Status)
		}
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A worker that cannot write keeps the webhook.
func TestAnUnrecognisedWebhookIsNotLostWithTheLog(t *testing.T) {
	for call := 1; call <= 3; call++ {
		inBubble(t, func(d *testbed) {
			d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
			p := d.start()
			p.ports.on("append", call, failBefore)
			v := p.Webhook(context.Background(), d.webhook("o-1", unreadable()))
			if is := d.log.now("o-1"); v.Kind == queue.Done && (is.OverdueAt.IsZero() || len(is.Annotations) == 0) {
				t.Errorf("append %d failed: %+v, %+v", call, v, is)
			}
			d.want(d.start().Webhook(context.Background(), d.webhook("o-1", unreadable())), queue.Done)
			if is := d.log.now("o-1"); is.OverdueAt.IsZero() || len(is.Annotations) != 1 {
				t.Errorf("append %d failed: %+v", call, is)
			}
		})
	}
}

// Webhooks with something new again and again must not keep a person from being told of a payment that is open
// for too long.
func TestNewsDoesNotResetTheThreshold(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.options.Threshold = func(string) time.Duration { return threshold }
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		for n := range 60 {
			time.Sleep(time.Hour)
			o := accepted("o-1")
			o.Action.Redirect.URL += strings.Repeat("x", n)
			d.want(p.Webhook(context.Background(), d.webhook("o-1", o)), queue.Done)
			is := d.log.now("o-1")
			if late := time.Since(is.FirstSubmittedAt) >= threshold; late != !is.OverdueAt.IsZero() {
				t.Fatalf("after %s: told at %s", time.Since(is.FirstSubmittedAt), is.OverdueAt)
			}
		}
	})
}

// A payment keeps a bounded number of transfers: an event that has more than the broker takes could not be written, and no further report of
// money about the order. Each webhook with another transfer is kept whole, for a person.
func TestAPaymentKeepsABoundedNumberOfTransfers(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		is := d.log.now("o-1")
		is.Status, is.Reason, is.Action, is.Revision, is.SettledAmount = payment.Conflict, &payment.Reason{Code: payment.ReasonExtraTransfer}, nil, is.Revision+1, payment.KRW(payment.MaxTransfers)
		for i := range payment.MaxTransfers {
			is.Transfers = append(is.Transfers, payment.Transfer{Reference: fmt.Sprintf("t-%d", i), Amount: payment.KRW(1)})
		}
		d.log.put(is)
		one := func(number int) events.Message {
			return d.webhook("o-1", payment.Observation{Kind: payment.Paid, Transfers: []payment.Transfer{{Reference: fmt.Sprintf("t-%d", number), Amount: payment.KRW(1)}}})
		}
		d.want(p.Webhook(context.Background(), one(payment.MaxTransfers-1)), queue.Done)
		before := d.log.now("o-1").Revision
		v := p.Webhook(context.Background(), one(payment.MaxTransfers))
		d.want(v, queue.Dead, events.DeadUnexplained)
		if v.Detail != "one more transfer than the 500 that a payment keeps" {
			t.Errorf("%q", v.Detail)
		}
		if now := d.log.now("o-1"); now.Revision != before || len(now.Transfers) != payment.MaxTransfers {
			t.Errorf("revision %d with %d transfers", now.Revision, len(now.Transfers))
		}
	})
}
