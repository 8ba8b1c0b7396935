package worker_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// decide writes a person's decision into the log, as payctl does, past the claim and its snapshot.
func (d *testbed) decide(o payment.Observation) {
	d.t.Helper()
	p, seq, err := d.log.Last(context.Background(), payment.Ref{Provider: acme, Order: "o-1"})
	if err != nil {
		d.t.Fatal(err)
	}
	o.Source = payment.FromPerson
	next, changed, err := payment.Decide(p, o, d.now())
	if err != nil || !changed {
		d.t.Fatalf("changed %v, %v", changed, err)
	}
	if _, err := d.log.Append(context.Background(), next, seq); err != nil {
		d.t.Fatal(err)
	}
}

// The claim store still says "parked until tomorrow", the log says "now".
func TestAReleasedPaymentIsSentAtOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errBalance})
		p, m := d.start(), d.message(d.order("o-1"))
		d.want(p.Command(context.Background(), m), queue.Park)
		d.want(p.Command(context.Background(), m), queue.Park) // fired too early: it waits
		d.sent("o-1", 1, 0)
		d.decide(payment.Observation{
			Kind: payment.Park, ResumeAt: d.now(), Reason: &payment.Reason{Code: payment.ReasonReleased, By: "kim"},
		})
		d.want(p.Command(context.Background(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Parked, payment.Submitting, payment.Pending)
		d.sent("o-1", 2, 1)
	})
}

// While the provider is closed a released payment is parked again, with the true reason.
func TestReleasedWhileClosedIsParkedWithTheTrueReason(t *testing.T) {
	atHours(t, friday, worker.ParkClosed, func(d *testbed) {
		p, m := d.start(), d.message(d.order("o-1"))
		d.want(p.Command(context.Background(), m), queue.Park)
		d.decide(payment.Observation{
			Kind: payment.Park, ResumeAt: d.now(), Reason: &payment.Reason{Code: payment.ReasonReleased, By: "kim"},
		})
		if delay := d.want(p.Command(context.Background(), m), queue.Park); delay < time.Hour {
			t.Errorf("parked for %s", delay)
		}
		d.reason("o-1", payment.ReasonClosed, "")
		d.log.want("o-1", payment.Parked, payment.Parked, payment.Parked)
		d.sent("o-1", 0, 0)
	})
}

// The claim store still says "in doubt", the log says what a person decided: no request is made.
func TestAResolvedPaymentIsLeftAlone(t *testing.T) {
	for kind, status := range map[payment.Kind]payment.Status{payment.ManuallySettled: payment.Settled, payment.ManuallyFailed: payment.Failed} {
		t.Run(string(kind), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				d.provider.script("o-1", reply{err: errTimedOut})
				p, m := d.start(), d.message(d.order("o-1"))
				d.want(p.Command(context.Background(), m), queue.Park)
				lookups := d.provider.lookups
				d.decide(payment.Observation{Kind: kind, Reason: &payment.Reason{Code: payment.ReasonResolvedByPerson, By: "kim"}})
				d.want(p.Command(context.Background(), m), queue.Done)
				if d.provider.lookups != lookups {
					t.Errorf("the provider was asked %d times more", d.provider.lookups-lookups)
				}
				if at := d.log.now("o-1"); at.Status != status || at.Reason.By != "kim" {
					t.Errorf("%s, %+v", at.Status, at.Reason)
				}
				d.sent("o-1", 1, 0)
			})
		})
	}
}

// A cancelled payment is not sent, whatever the claim store remembers.
func TestACancelledPaymentIsNotSent(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errBalance})
		p, m := d.start(), d.message(d.order("o-1"))
		time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		d.decide(payment.Observation{Kind: payment.Refuse, Reason: &payment.Reason{Code: payment.ReasonCancelled, By: "kim"}})
		d.want(p.Command(context.Background(), m), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Failed)
		d.sent("o-1", 1, 0)
	})
}
