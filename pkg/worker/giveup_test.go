package worker_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"payonce/pkg/limits"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// impatient gives deposits up after a time.
func (d *testbed) impatient(after time.Duration) {
	d.options.GiveUpPolicy = func(provider string, op payment.Operation) worker.GiveUpPolicy {
		if provider != acme || op != payment.Deposit {
			return worker.GiveUpPolicy{}
		}
		return worker.GiveUpPolicy{GiveUpAfter: after}
	}
}

func TestWhatCannotBeSentFailsInTime(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.impatient(time.Hour)
		d.provider.script("o-1", repeat(reply{err: errBalance}, 1000)...)
		began := d.now()
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		if took := d.now().Sub(began); took != time.Hour {
			t.Errorf("given up after %s", took)
		}
		all := d.log.history("o-1")
		d.reason("o-1", payment.ReasonGaveUp, "")
		if is := all[len(all)-1]; is.Status != payment.Failed || !strings.Contains(is.Reason.Message, payment.ReasonBalance) {
			t.Errorf("%s: %+v", is.Status, is.Reason)
		}
		if n := d.provider.of("o-1").submitted; n != all[len(all)-1].Attempts || n < 5 {
			t.Errorf("%d requests, %d attempts", n, all[len(all)-1].Attempts)
		}
	})
}

func TestOtherOperationsGoOn(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.impatient(time.Minute)
		cmd := d.order("o-1")
		cmd.Operation = payment.Payout
		d.provider.script("o-1", repeat(reply{err: errBalance}, 20)...)
		d.want(d.settle(d.start(), d.message(cmd)), queue.Done)
		d.sent("o-1", 21, 1)
	})
}

func TestWhatMayHaveBeenSentNeverFailsByTime(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.impatient(time.Second)
		d.provider.script("o-1", reply{execute: true, err: errTimedOut})
		d.provider.hidden = 50 * time.Second
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		d.log.want("o-1", payment.Submitting, payment.InDoubt, payment.Pending)
		d.sent("o-1", 1, 1)
	})
}

// What lay in the queue for long is tried once all the same.
func TestWhatWasNeverKeptBackIsTried(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.impatient(time.Minute)
		m, failing := d.message(d.order("o-1")), d.message(d.order("o-2"))
		time.Sleep(time.Hour)
		d.want(d.start().Command(context.Background(), m), queue.Done)
		d.sent("o-1", 1, 1)
		d.provider.script("o-2", reply{err: errBalance})
		if delay := d.want(d.start().Command(context.Background(), failing), queue.Park); delay != d.options.Timing.ParkMin {
			t.Errorf("one that failed comes again after %s", delay)
		}
	})
}

// A weekend does not count towards give_up_after.
func TestOnlyOpenTimeCounts(t *testing.T) {
	atHours(t, friday.Add(-30*time.Minute), worker.ParkClosed, func(d *testbed) {
		d.impatient(time.Hour)
		d.options.Timing.ResumeSpread = 0
		d.provider.script("o-1", repeat(reply{err: errBalance}, 1000)...)
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		d.reason("o-1", payment.ReasonGaveUp, "")
		if at := d.log.now("o-1").UpdatedAt; !at.Equal(monday.Add(30 * time.Minute)) {
			t.Errorf("given up at %s", at.In(kst))
		}
	})
	atHours(t, friday.Add(-30*time.Minute), worker.SendClosed, func(d *testbed) {
		d.impatient(time.Hour)
		d.provider.script("o-1", repeat(reply{err: errBalance}, 1000)...)
		d.want(d.settle(d.start(), d.message(d.order("o-1"))), queue.Done)
		if at := d.log.now("o-1").UpdatedAt; !at.Equal(friday.Add(30 * time.Minute)) {
			t.Errorf("always sent, given up at %s", at.In(kst))
		}
	})
}

func TestWhatIsKeptBackFailsInTime(t *testing.T) {
	limited(t, limits.Policy{Breaker: breaker}, func(d *testbed) {
		d.impatient(20 * time.Second)
		p := d.start()
		d.trip(p)
		m := d.message(d.order("o-1"))
		if delay := d.want(p.Command(context.Background(), m), queue.Park); delay != 20*time.Second {
			t.Errorf("parked for %s", delay)
		}
		d.want(d.settle(p, m), queue.Done)
		d.log.want("o-1", payment.Parked, payment.Failed)
		d.reason("o-1", payment.ReasonGaveUp, "")
		d.sent("o-1", 0, 0)
	})
}

// What waits over a weekend is tried at the opening before it is given up, however wide the opening is spread.
func TestWhatWaitedForTheOpeningIsTried(t *testing.T) {
	atHours(t, friday, worker.ParkClosed, func(d *testbed) {
		d.impatient(2 * time.Minute)
		p := d.start()
		for _, order := range []string{"o-1", "o-2", "o-3", "o-4", "o-5", "o-6", "o-7", "o-8"} {
			v := p.Command(context.Background(), d.message(d.order(order)))
			if d.want(v, queue.Park); v.At.Before(monday) || v.At.After(monday.Add(time.Minute)) {
				t.Errorf("%s waits until %s", order, v.At.In(kst))
			}
		}
		d.want(d.settle(p, d.message(d.order("o-1"))), queue.Done)
		d.sent("o-1", 1, 1)
	})
}
