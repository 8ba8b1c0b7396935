package worker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// A machine stood still with its clocks before it wrote its intent, and nothing noticed: the intent is dated an hour too
// early. When its request's result is not known, the time is measured, and the doubt is dated by that.
func TestADoubtIsDatedAgain(t *testing.T) {
	inBubble(t, func(d *testbed) {
		began, behind := time.Now(), time.Hour
		d.options.Now = func() time.Time { return time.Now().Add(-behind) }
		d.options.Local = time.Now
		d.options.Measure = func(context.Context) error { behind = 0; return nil }
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		cmd := d.order("o-1")
		cmd.RequestedAt = began.Add(-2 * time.Hour)
		d.want(d.start().Command(context.Background(), d.message(cmd)), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
		if at := d.log.now("o-1").SubmittedAt; at.Before(began) || at.After(time.Now()) {
			t.Errorf("sent at %s, and it says %s", began, at)
		}
	})
}

// Where the time cannot be had the doubt waits: the log has the intent, and when that was stored.
func TestNoDoubtIsDatedWithoutTheTime(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.options.Measure = func(context.Context) error { return errors.New("NATS is away") }
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Retry)
		d.log.want("o-1", payment.Submitting)
		d.sent("o-1", 1, 1)
	})
}
