package worker_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"payonce/pkg/payment"
)

// A stopping worker takes its attempt back, the log keeps that and its reply is lost. Meanwhile another worker
// sends the order, under the same number of attempt. The first one must not take that attempt back, too.
func TestAnAttemptIsWithdrawnOnce(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", repeat(reply{err: errUnreached}, 1000)...)
		ctx, stop := context.WithCancel(context.Background())
		m := d.message(d.order("o-1"))
		var other sync.WaitGroup
		defer other.Wait()
		time.AfterFunc(time.Second, func() {
			d.log.before(func(p payment.Payment) {
				d.log.put(p)
				d.server.FlushAll() // so that others may work on it
				d.provider.script("o-1", reply{execute: true, takes: 10 * time.Second, says: accepted("o-1")})
				other.Go(func() { d.start().Command(context.Background(), m) })
				synctest.Wait() // it is being sent
			})
			stop()
		})
		d.start().Command(ctx, m)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting)
		d.server.FlushAll()
		d.settle(d.start(), m)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting, payment.Pending)
		if is := d.provider.of("o-1"); is.executed != 1 {
			t.Errorf("executed %d times: %s", is.executed, d.log.statuses("o-1"))
		}
	})
}
