package campaign

import (
	"context"
	"slices"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// How long nothing must have moved.
const (
	quietWhenEnded = 5 * time.Second  // when every payment has ended
	quietElse      = 60 * time.Second // a doubt rests for longer than the longest settling delay and two schedules
)

// drain waits until nothing moves any more, for at most DrainFor.
func (c *run) drain(ctx context.Context, provider *provider, orders []*Order) error {
	deadline := time.Now().Add(c.DrainFor)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		open := c.open(orders)
		_, quiet := c.board.counts()
		if (open == 0 && quiet > quietWhenEnded || quiet > quietElse) && c.board.current(ctx, c.system.js) {
			truth, err := provider.truth(ctx)
			if err != nil {
				return err
			}
			if told := unsettledCallbacks(truth); told == 0 || quiet > quietElse {
				c.note("nothing moves: %d payments have not ended, the provider has still %d things to tell", open, told)
				return nil
			}
		}
		if time.Now().After(deadline) {
			c.note("drained for %s: %d payments have not ended", c.DrainFor, open)
			return nil
		}
	}
}

// open counts accepted orders that will move again.
func (c *run) open(orders []*Order) int {
	count := 0
	for _, o := range orders {
		p, found := c.board.of(o.Ref)
		doubted := p.Status == payment.InDoubt && slices.Contains(o.Faults, sandbox.WrongAmount)
		if o.Accepted && (!found || !p.Status.Ended() && !doubted) {
			count++
		}
	}
	return count
}
