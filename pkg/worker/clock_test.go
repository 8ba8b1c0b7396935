package worker_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// badClock is the time of a worker whose clock is wrong.
func badClock(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(by) }
}

// A command that the broker has just stored is not from the future, whatever the clock of the worker says that takes it.
func TestTheFutureIsJudgedByTheBroker(t *testing.T) {
	for name, c := range map[string]struct {
		clock, ahead time.Duration // of the worker, and of requested_at
		taken        bool
	}{
		"right":                            {0, 0, true},
		"a slow worker":                    {-10 * time.Minute, 0, true},
		"a very slow worker":               {-24 * time.Hour, 0, true},
		"a fast worker":                    {10 * time.Minute, 0, true},
		"an upstream a little ahead":       {0, payment.MaxAhead, true},
		"the same at a slow worker":        {-10 * time.Minute, payment.MaxAhead, true},
		"an upstream ahead":                {0, payment.MaxAhead + time.Second, false},
		"no fast worker hides an upstream": {10 * time.Minute, payment.MaxAhead + time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				cmd := d.order("o-1")
				cmd.RequestedAt = time.Now().Add(c.ahead)
				m := d.message(cmd)
				d.options.Now, d.options.Local = badClock(c.clock), time.Now
				v := d.start().Command(context.Background(), m)
				if !c.taken {
					d.want(v, queue.Dead, events.DeadInvalid)
					d.sent("o-1", 0, 0)
					return
				}
				d.want(v, queue.Done)
				d.sent("o-1", 1, 1)
			})
		})
	}
}

// An order that the log knows never loses its command for a clock: not a parked one, not one in doubt.
func TestAKnownOrderIsNeverDeadLetteredForAClock(t *testing.T) {
	for name, by := range map[string]time.Duration{
		"slow": -24 * time.Hour, "fast by more than the log remembers": 500 * 24 * time.Hour,
	} {
		for status, script := range map[payment.Status]reply{payment.Parked: {err: errThrottled}, payment.InDoubt: {err: errTimedOut}} {
			for _, flush := range []bool{false, true} {
				t.Run(name+" "+string(status), func(t *testing.T) {
					inBubble(t, func(d *testbed) {
						d.provider.script("o-1", script)
						good := d.start()
						m := d.message(d.order("o-1"))
						d.want(good.Command(context.Background(), m), queue.Park)
						if flush {
							d.server.FlushAll()
						}
						before := d.log.now("o-1")
						m.StoredAt = time.Time{} // not even the broker's time protects it
						d.options.Now, d.options.Local = badClock(by), time.Now
						v := d.start().Command(context.Background(), m)
						if is := d.log.now("o-1"); v.Kind == queue.Dead || is.Status == payment.Failed {
							t.Errorf("the verdict is %+v, %s became %s", v, before.Status, is.Status)
						}
					})
				})
			}
		}
	}
}

// Whether the log knows an untimely order must be known before its command is given up.
func TestAnUntimelyCommandWaitsForTheLog(t *testing.T) {
	inBubble(t, func(d *testbed) {
		cmd := d.order("o-1")
		cmd.RequestedAt = time.Now().Add(time.Hour)
		p := d.start()
		p.ports.on("last", 1, failBefore)
		d.want(p.Command(context.Background(), d.message(cmd)), queue.Retry)
		d.want(p.Command(context.Background(), d.message(cmd)), queue.Dead, events.DeadInvalid)
	})
}

// A replica of the log that does not know the order yet does not lose it either.
func TestAnUntimelyCommandAtAReplicaThatLags(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: errThrottled})
		cmd := d.order("o-1")
		cmd.RequestedAt = time.Now().Add(time.Hour)
		p, m := d.start(), d.message(cmd)
		m.StoredAt = cmd.RequestedAt
		d.want(p.Command(context.Background(), m), queue.Park)
		m.StoredAt = time.Now()
		q := d.start()
		q.ports.onRead = func() error { return events.ErrNoPayment }
		d.want(q.Command(context.Background(), m), queue.Park)
		d.log.want("o-1", payment.Submitting, payment.Parked)
	})
}
