package worker_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// pageGrace is what the provider of these tests documents, in its open time.
const pageGrace = 48*time.Hour + 5*time.Minute

// pageFor leaves an order whose customer has a page of a day.
func (d *testbed) pageFor(order string) {
	d.t.Helper()
	d.provider.traits.PageGrace = pageGrace
	link := accepted(order)
	link.PageClosesAt = d.now().Add(24 * time.Hour)
	d.provider.script(order, reply{says: link})
	d.pendingFor(order, 0)
	d.lookupSays(payment.Observation{Kind: payment.Unknown}, nil)
}

// overdue looks an order up by its last event.
func (d *testbed) overdue(order string, limit time.Duration) {
	d.t.Helper()
	d.want(d.start().Overdue(context.Background(), d.event(order), limit), queue.Done)
}

// vain does so while the provider gives no answer, and no person is told.
func (d *testbed) vain(order string) {
	d.t.Helper()
	d.want(d.start().Overdue(context.Background(), d.event(order), threshold), queue.Retry)
}

func TestAPageIsEndedByTwoLookUpsAfterItIsOver(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pageFor("o-1")
		for range 3 { // before it is over nothing is written and no person is told, not even beyond the threshold
			time.Sleep(24 * time.Hour)
			d.overdue("o-1", threshold)
		}
		d.log.want("o-1", payment.Submitting, payment.Pending)
		time.Sleep(pageGrace - 48*time.Hour)
		d.overdue("o-1", 0) // also when there is no later timer: the answer has timers of its own
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending)
		d.overdue("o-1", threshold) // the same answer
		time.Sleep(d.provider.traits.SettlingDelay - 1)
		d.overdue("o-1", threshold)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending)
		time.Sleep(time.Nanosecond)
		d.overdue("o-1", threshold)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending, payment.Failed)
		d.reason("o-1", payment.ReasonAbandoned, "")
		if d.errorsLogged() != 0 {
			t.Errorf("somebody is told: %s", d.logs)
		}
	})
}

func TestLookUpsThatLearnNothingEndNoPage(t *testing.T) {
	for name, c := range map[string]struct {
		says payment.Observation
		err  error
	}{"fails": {err: errPlain}, "indeterminate": {says: payment.Observation{Kind: payment.Indeterminate}}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.pageFor("o-1")
				d.lookupSays(c.says, c.err)
				time.Sleep(24*time.Hour + pageGrace)
				for range 3 {
					if c.err != nil {
						d.vain("o-1")
					} else {
						d.overdue("o-1", threshold)
					}
					time.Sleep(10 * time.Minute)
				}
				d.log.want("o-1", payment.Submitting, payment.Pending)
				// No person was told, until a whole threshold is over in which it could have been decided.
				time.Sleep(threshold - 30*time.Minute)
				d.overdue("o-1", threshold)
				d.reason("o-1", payment.ReasonOverdue, "")
			})
		})
	}
}

// After the first answer there is a threshold for the second.
func TestTheSecondAnswerHasAThresholdOfItsOwn(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pageFor("o-1")
		time.Sleep(24*time.Hour + pageGrace + 100*time.Hour)
		d.overdue("o-1", threshold)
		d.lookupSays(payment.Observation{}, errPlain)
		time.Sleep(threshold - time.Second)
		d.vain("o-1")
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending)
		time.Sleep(time.Second)
		d.overdue("o-1", threshold)
		d.reason("o-1", payment.ReasonOverdue, "")
	})
}

func TestAWebhookSavesAPage(t *testing.T) {
	known := []payment.Status{payment.Submitting, payment.Pending, payment.Pending}
	for name, c := range map[string]struct {
		says payment.Observation
		want []payment.Status
	}{
		"the customer is there": {payment.Observation{Kind: payment.Accepted}, known},
		"unrecognised":          {payment.Observation{Kind: payment.Indeterminate}, append(known, payment.Pending)}, // and a person is told
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.pageFor("o-1")
				time.Sleep(23 * time.Hour)
				d.want(d.start().Webhook(context.Background(), d.webhook("o-1", c.says)), queue.Done)
				d.log.want("o-1", c.want...)
				time.Sleep(threshold - time.Second) // since the customer was there
				d.overdue("o-1", threshold)
				d.log.want("o-1", c.want...)
				for range 3 {
					time.Sleep(pageGrace)
					d.overdue("o-1", threshold)
				}
				if is := d.log.now("o-1"); is.Status != payment.Pending || is.OverdueAt.IsZero() {
					t.Errorf("%+v", is)
				}
			})
		})
	}
}

// What a provider does not document ends nothing: a person is told at the threshold after the page closed at the latest.
func TestAPageWithoutAGraceIsForAPerson(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.pageFor("o-1")
		d.provider.traits.PageGrace = 0
		for range 5 {
			time.Sleep(100 * time.Hour)
			d.overdue("o-1", threshold)
		}
		if is := d.log.now("o-1"); is.Status != payment.Pending || is.NotFound != 0 || is.OverdueAt.IsZero() {
			t.Errorf("%+v", is)
		}
	})
}

// On Friday at 12:00 a page closes on Saturday; 48 hours and 5 minutes of open time later it is Thursday, 08:08.
func TestThePagesGraceCountsOpenTime(t *testing.T) {
	atHours(t, time.Date(2000, 1, 7, 12, 0, 0, 0, kst), "", func(d *testbed) {
		d.pageFor("o-1")
		at := time.Date(2000, 1, 13, 8, 8, 0, 0, kst)
		time.Sleep(time.Until(at) - time.Second)
		d.overdue("o-1", threshold)
		d.log.want("o-1", payment.Submitting, payment.Pending)
		time.Sleep(time.Second)
		d.overdue("o-1", threshold)
		d.log.want("o-1", payment.Submitting, payment.Pending, payment.Pending)
	})
}
