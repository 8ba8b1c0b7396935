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
	quietElse      = 80 * time.Second // the second step of the lookup schedule comes a minute after the last event
)

// drain waits until nothing moves any more, for at most DrainFor.
func (c *run) drain(ctx context.Context, provider *provider, orders []*Order, actors *actors) error {
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
			evidence, err := c.aside(ctx, provider, actors)
			told, dead := unsettledCallbacks(evidence.Truth), len(owed(evidence))
			switch {
			case err != nil: // no server answers now: asked again, and when the time is over the audit asks
				c.note("draining: %v", err)
			case told+dead == 0 || quiet > quietElse:
				c.note("nothing moves: %d payments have not ended, the provider has still %d things to tell, %d dead letters are missing", open, told, dead)
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
