package worker_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// after runs a test on an order that is pending, with its webhooks.
func after(t *testing.T, test func(d *testbed, take func(o payment.Observation, edit ...func(*call, http.Header)) queue.Verdict)) {
	t.Helper()
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		test(d, func(o payment.Observation, edit ...func(*call, http.Header)) queue.Verdict {
			return p.Webhook(context.Background(), d.webhook("o-1", o, edit...))
		})
	})
}

type take = func(o payment.Observation, edit ...func(*call, http.Header)) queue.Verdict

// A command that is just on its way is awaited by the consumer; later the broker holds the webhook, for half
// its age each time, and in the end it is a dead letter with an alarm.
func TestWebhookOfAnUnknownOrderWaitsThenDies(t *testing.T) {
	var logs strings.Builder
	inBubble(t, func(d *testbed) {
		d.options.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		p, m := d.start(), d.webhook("o-1", paid())
		began, parked := time.Now(), 0
		for ended := false; !ended; {
			v := p.Webhook(context.Background(), m)
			age := time.Since(began)
			switch {
			case age > d.options.Timing.UnknownOrderFor:
				d.want(v, queue.Dead, events.DeadUnknownOrder)
				ended = true
			case age < 5*time.Second:
				if delay := d.want(v, queue.Retry); delay <= 0 || delay > 2*time.Second {
					t.Errorf("held by the consumer for %s", delay)
				}
				m.Deliveries++
				time.Sleep(v.Delay)
			default:
				d.want(v, queue.Park)
				if pause := time.Until(v.At); pause != max(age/2, 5*time.Second) {
					t.Errorf("%s old: held by the broker for %s", age, pause)
				}
				parked++
				m.Deliveries = 1 // as the broker counts a message that it held
				time.Sleep(time.Until(v.At))
			}
		}
		if parked > 30 {
			t.Errorf("it came %d times", parked)
		}
		d.log.want("o-1")
	})
	if text := logs.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "reason=unknown_order") || !strings.Contains(text, "order=o-1") || !strings.Contains(text, `next="ask the provider what it is`) {
		t.Errorf("no alarm: %s", text)
	}
}

// The ingress's clock can be ahead of ours: a webhook of an unknown order must leave the consumer all the same.
func TestAWebhookFromTheFutureIsNotHeldByTheConsumer(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p, m := d.start(), d.webhook("o-1", paid())
		m.Deliveries = 9
		d.want(p.Webhook(context.Background(), m), queue.Park)
	})
}

func TestWebhookBeforeItsCommandIsKept(t *testing.T) {
	inBubble(t, func(d *testbed) {
		p, m := d.start(), d.webhook("o-1", paid())
		d.want(p.Webhook(context.Background(), m), queue.Retry)
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.want(p.Webhook(context.Background(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
	})
}

func TestWebhookBeforeTheReplySettles(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, takes: 10 * time.Second, says: accepted("o-1")})
		time.AfterFunc(time.Second, func() { d.want(d.start().Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done) })
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Settled)
	})
}

// The reply's append loses against the webhook's and follows it.
func TestAReplyThatContradictsAnEarlierWebhookIsAConflict(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{execute: true, takes: 10 * time.Second, err: errRefused})
		time.AfterFunc(time.Second, func() { d.want(d.start().Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done) })
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Settled, payment.Conflict)
	})
}

func TestWebhooksThatAreNotLetIn(t *testing.T) {
	for name, r := range map[string]struct {
		reason events.DeadReason
		edit   func(*call, http.Header)
	}{
		"another order": {events.DeadBadWebhook, func(c *call, _ http.Header) { c.Order = "o-2" }},
	} {
		t.Run(name, func(t *testing.T) {
			after(t, func(d *testbed, take take) {
				d.want(take(paid(), r.edit), queue.Dead, r.reason)
				d.log.want("o-1", payment.Submitting, payment.Pending)
			})
		})
	}
}

// The ingress may have read a new secret before this worker, so a signature that does not fit is looked at again.
func TestAWebhookWaitsForTheSecretThatSignedIt(t *testing.T) {
	for name, forge := range map[string]func(*call, http.Header){
		"wrong":   func(_ *call, h http.Header) { h.Set("X-Signature", "of the new secret") },
		"missing": func(_ *call, h http.Header) { h.Del("X-Signature") },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				p, began, tries := d.start(), time.Now(), 0
				d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
				m := d.webhook("o-1", paid(), forge)
				v := p.Webhook(context.Background(), m)
				for ; v.Kind == queue.Park; v = p.Webhook(context.Background(), m) {
					if pause := time.Until(v.At); pause < 5*time.Second || pause > 5*time.Minute {
						t.Fatalf("held for %s", pause)
					}
					tries++
					time.Sleep(time.Until(v.At))
				}
				d.want(v, queue.Dead, events.DeadBadWebhook)
				if waited := time.Since(began); waited < 10*time.Minute || waited > 15*time.Minute || tries > 20 {
					t.Errorf("given up after %s and %d tries", waited, tries)
				}
				d.log.want("o-1", payment.Submitting, payment.Pending)
			})
		})
	}
}

// A time that no ingress's clock can show must not hold a forged message for ever.
func TestAForgedWebhookFromTheFutureIsDeadLettered(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := d.webhook("o-1", paid(), func(_ *call, h http.Header) { h.Del("X-Signature") })
		m.Header.Set("ce-time", time.Now().Add(time.Second).UTC().Format(time.RFC3339Nano))
		d.want(d.start().Webhook(context.Background(), m), queue.Park)
		m.Header.Set("ce-time", time.Now().Add(time.Hour).UTC().Format(time.RFC3339Nano))
		d.want(d.start().Webhook(context.Background(), m), queue.Dead, events.DeadBadWebhook)
	})
}

func TestAWebhookOfANewSecretIsTakenOnceTheWorkerHasIt(t *testing.T) {
	after(t, func(d *testbed, take take) {
		d.want(take(paid(), func(_ *call, h http.Header) { h.Set("X-Signature", "of the new secret") }), queue.Park)
		d.provider.signature = "of the new secret"
		d.want(take(paid(), func(_ *call, h http.Header) { h.Set("X-Signature", "of the new secret") }), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
	})
}

func TestMessagesThatAreNoWebhooks(t *testing.T) {
	for name, r := range map[string]struct {
		reason events.DeadReason
		edit   func(m *events.Message)
	}{
		"no webhook":       {events.DeadBadWebhook, func(m *events.Message) { m.Header = nil }},
		"unknown provider": {events.DeadUnknownProvider, func(m *events.Message) { m.Subject = "webhook.received.nobody.o-1" }},
		"silent provider":  {events.DeadBadWebhook, func(m *events.Message) { m.Subject = "webhook.received.silent.o-1" }},
		"not readable":     {events.DeadBadWebhook, func(m *events.Message) { m.Data = []byte("HONG-GILDONG") }},
		"another subject":  {events.DeadBadWebhook, func(m *events.Message) { m.Subject = "webhook.received.acme-kr.o-2" }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				p, m := d.start(), d.webhook("o-1", paid())
				r.edit(&m)
				d.want(p.Webhook(context.Background(), m), queue.Dead, r.reason)
				if n := p.ports.count(""); n != 0 {
					t.Errorf("calls: %v", p.ports.calls)
				}
			})
		})
	}
}

func TestWebhookWithoutAnOperationIsTaken(t *testing.T) {
	after(t, func(d *testbed, take take) {
		d.want(take(paid(), func(c *call, _ http.Header) { c.Operation = "" }), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
	})
}

// A provider that names no currency means the order's, and never another account's of ours.
func TestWebhookWithoutACurrencyIsReadInTheOrders(t *testing.T) {
	after(t, func(d *testbed, take take) {
		o := paid(func(o *payment.Observation) { o.Amount.Currency, o.SettledAmount = "", payment.Money{Minor: 10000} })
		d.want(take(o, func(c *call, _ http.Header) { c.NoCurrency = true }), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
		if is := d.log.now("o-1"); is.SettledAmount != payment.KRW(10000) {
			t.Errorf("settled with %s", is.SettledAmount)
		}
	})
}

func TestWebhookThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	for _, name := range []string{"last", "append"} {
		for _, f := range []fault{failBefore, failAfter} {
			t.Run(name+" "+f.String(), func(t *testing.T) {
				after(t, func(d *testbed, _ take) {
					p, m := d.start(), d.webhook("o-1", paid())
					p.ports.on(name, 1, f)
					if delay := d.want(p.Webhook(context.Background(), m), queue.Retry); delay <= 0 {
						t.Error("delivered again at once")
					}
					d.want(p.Webhook(context.Background(), m), queue.Done)
					d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
				})
			})
		}
	}
}

func TestContradictionIsAConflict(t *testing.T) {
	declined := payment.Observation{Kind: payment.Declined, Amount: payment.KRW(10000)}
	for name, o := range map[string][2]payment.Observation{
		"declined after paid": {paid(), declined}, "paid after declined": {declined, paid()},
	} {
		t.Run(name, func(t *testing.T) {
			after(t, func(d *testbed, take take) {
				d.want(take(o[0]), queue.Done)
				first := d.log.now("o-1").Status
				d.want(take(o[1]), queue.Done)
				d.want(take(o[1]), queue.Done)
				d.log.want("o-1", payment.Submitting, payment.Pending, first, payment.Conflict)
				d.reason("o-1", payment.ReasonContradiction, "")
			})
		})
	}
}

func TestAnotherAmountIsInDoubtOrAConflict(t *testing.T) {
	other := paid(func(o *payment.Observation) { o.Amount = payment.KRW(1000000) })
	after(t, func(d *testbed, take take) {
		d.lookupSays(payment.Observation{}, errPlain)
		d.want(take(other), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.InDoubt)
		d.reason("o-1", payment.ReasonAmountMismatch, "")
		d.want(take(paid()), queue.Done)
		d.want(take(other), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.InDoubt, payment.Settled, payment.Conflict)
		d.reason("o-1", payment.ReasonAmountMismatch, "")
	})
}

func TestAThousandDuplicatesAreOneEvent(t *testing.T) {
	after(t, func(d *testbed, take take) {
		for range 1000 {
			d.want(take(paid()), queue.Done)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled)
	})
}

func TestReversal(t *testing.T) {
	back := payment.Observation{Kind: payment.Reversal}
	after(t, func(d *testbed, take take) {
		d.want(take(paid()), queue.Done)
		d.want(take(back), queue.Done)
		d.want(take(back), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled, payment.Reversed)
	})
}

func TestReversalOfAMissedSettlementSettlesFirst(t *testing.T) {
	back := payment.Observation{Kind: payment.Reversal}
	after(t, func(d *testbed, take take) {
		d.want(take(back), queue.Done)
		d.want(take(paid()), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled, payment.Reversed)
		if settled := d.log.history("o-1")[2]; settled.Reason.Code != payment.ReasonReversalOfUnknown || settled.SettledAmount != payment.KRW(10000) {
			t.Errorf("settled: %+v", settled.Reason)
		}
	})
	after(t, func(d *testbed, _ take) { // and a crash between the two
		p := d.start()
		p.ports.on("append", 2, failBefore)
		m := d.webhook("o-1", back)
		d.want(p.Webhook(context.Background(), m), queue.Retry)
		d.want(p.Webhook(context.Background(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled, payment.Reversed)
	})
}

func TestAFurtherTransferIsAConflictWithTheSum(t *testing.T) {
	transfer := func(reference string, won int64) payment.Observation {
		return paid(func(o *payment.Observation) {
			o.Transfers = []payment.Transfer{{Reference: reference, Amount: payment.KRW(won)}}
		})
	}
	after(t, func(d *testbed, take take) {
		d.want(take(transfer("r-1", 10000)), queue.Done)
		d.want(take(transfer("r-1", 10000)), queue.Done)
		d.want(take(transfer("r-2", 500)), queue.Done)
		d.want(take(transfer("r-2", 500)), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled, payment.Conflict)
		d.reason("o-1", payment.ReasonExtraTransfer, "")
		if sum := d.log.now("o-1").SettledAmount; sum != payment.KRW(10500) {
			t.Errorf("settled %s", sum)
		}
	})
}

// Another process moves the payment between the webhook's read and its append.
func TestAWebhookFollowsAPaymentThatMoves(t *testing.T) {
	after(t, func(d *testbed, take take) {
		d.log.beforeAppend = func(payment.Payment) {
			p := d.log.now("o-1")
			p.Status, p.Revision, p.SettledAmount = payment.Settled, 3, payment.KRW(10000)
			d.log.put(p)
		}
		d.want(take(payment.Observation{Kind: payment.Declined}), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Settled, payment.Conflict)
	})
}

// A fee that the provider tells with the outcome is in its event. One that it tells afterwards is no second outcome: it is logged, and
// nothing is written.
func TestALateFeeIsLogged(t *testing.T) {
	var logs strings.Builder
	fee := payment.Fee{Hundredths: 1802, Currency: "KRW"}
	with := func(o *payment.Observation) { o.Report.Fee = fee }
	inBubble(t, func(d *testbed) {
		d.options.Logger = slog.New(slog.NewTextHandler(&logs, nil))
		p := d.start()
		for order, first := range map[string]payment.Observation{"o-1": paid(), "o-2": paid(with)} {
			d.want(p.Command(context.Background(), d.message(d.order(order))), queue.Done)
			first.Reference, first.Source = "ref-"+order, payment.FromWebhook
			d.want(p.Webhook(context.Background(), d.webhook(order, first)), queue.Done)
			before := len(d.log.history(order))
			with(&first)
			d.want(p.Webhook(context.Background(), d.webhook(order, first)), queue.Done)
			if after := d.log.history(order); len(after) != before || (after[before-1].Fee == fee) != (order == "o-2") {
				t.Errorf("%s: %d events after %d, the fee is %v", order, len(after), before, after[before-1].Fee)
			}
		}
	})
	if text := logs.String(); strings.Count(text, "provider told a fee or a time after the outcome") != 1 || !strings.Contains(text, "order=o-1") {
		t.Errorf("logged: %s", text)
	}
}
