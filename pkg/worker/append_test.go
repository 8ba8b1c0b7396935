package worker_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

func TestNoCallOnAnIntentThatMayNotBeWritten(t *testing.T) {
	for _, f := range []fault{failBefore, failAfter} {
		t.Run(f.String(), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				p, m := d.start(), d.message(d.order("o-1"))
				p.ports.on("append", 1, f)
				if delay := d.want(p.Command(context.Background(), m), queue.Retry); delay <= 0 {
					t.Error("delivered again at once")
				}
				if n := p.ports.count("submit") + p.ports.count("lookup"); n != 0 {
					t.Errorf("calls: %v", p.ports.calls)
				}
				d.sent("o-1", 0, 0)
				d.want(d.settle(p, m), queue.Done)
				if is := d.provider.of("o-1").executed; is != 1 {
					t.Errorf("executed %d times", is)
				}
			})
		})
	}
}

func TestAResultThatCannotBeWrittenIsLookedUp(t *testing.T) {
	// One that was written all the same is found in the log.
	for f, lookups := range map[fault]int{failBefore: 1, failAfter: 0} {
		t.Run(f.String(), func(t *testing.T) {
			inBubble(t, func(d *testbed) {
				p, m := d.start(), d.message(d.order("o-1"))
				p.ports.on("append", 2, f)
				d.want(p.Command(context.Background(), m), queue.Retry)
				d.want(p.Command(context.Background(), m), queue.Done)
				d.log.want("o-1", payment.Submitting, payment.Pending)
				d.sent("o-1", 1, 1)
				if d.provider.lookups != lookups {
					t.Errorf("%d look-ups, want %d", d.provider.lookups, lookups)
				}
			})
		})
	}
}

// Reads from a replica that lags never end in a second call, nor in an endless loop.
func TestStaleReads(t *testing.T) {
	inBubble(t, func(d *testbed) {
		m := d.message(d.order("o-1"))
		d.provider.script("o-1", reply{err: errBalance})
		p := d.start()
		time.Sleep(d.want(p.Command(context.Background(), m), queue.Park))
		d.want(p.Command(context.Background(), m), queue.Done)
		for _, behind := range []int{1, 5, 1000} {
			d.server.FlushAll()
			d.log.behind = behind
			v := p.Command(context.Background(), m)
			if v.Kind == queue.Retry && v.Delay <= 0 {
				t.Errorf("%d stale reads: %+v", behind, v)
			}
		}
		d.log.behind = 0
		d.want(p.Command(context.Background(), m), queue.Done)
		d.sent("o-1", 2, 1)
		d.log.want("o-1", payment.Submitting, payment.Parked, payment.Submitting, payment.Pending)
	})
}
