package faults

import (
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

const flushed = 500

// Redis is flushed three times, and workers are killed twice, in the middle of 500 payments.
func TestRedisFlushedInTheMiddle(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := within(t, timeout)
	orders := make([]order, flushed)
	for i := range orders {
		orders[i] = order{payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("flush-%03d", i)}, payment.Operations()[i%2]}
	}
	doomed := []*testenv.Process{s.worker(), s.worker()}
	s.worker()
	var group errgroup.Group
	group.SetLimit(8)
	for i, o := range orders {
		group.Go(func() error { s.publish(ctx, o); return nil })
		if i%(flushed/4) == flushed/8 { // wait until a payment is under way, and strike
			if _, err := s.Sandbox.WaitFor(ctx, testenv.TeemoPay, orders[i].ref.Order, sandbox.Seen(1)); err != nil {
				t.Fatal(err)
			}
			s.redis.FlushAll()
			if len(doomed) > 0 {
				doomed[0].Kill()
				doomed = doomed[1:]
				s.worker()
			}
		}
	}
	_ = group.Wait()
	s.settleOnce(ctx, orders...)
	s.checkQuiet(ctx, orders)
	summary := s.Sandbox.Truth().Summary()
	if len(summary.ChargedTwice) > 0 || summary.Movements != flushed {
		t.Errorf("charged twice: %v; %d movements for %d payments", summary.ChargedTwice, summary.Movements, flushed)
	}
	t.Logf("%d payments, 4 flushes, 2 kills: %d charges, %d movements", flushed, summary.Charges, summary.Movements)
}
