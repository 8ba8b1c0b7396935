package connectors

import (
	"fmt"
	"time"
)

// DefaultSettlingDelay is an assumption for kinds whose documents do not say how soon the lookup knows a new order.
const DefaultSettlingDelay = time.Minute

// BudgetTimeout is how long a command waits in its handler for a place in the provider's budget. It keeps
// its slot meanwhile, so that the rest of the queue stays where it is; parked instead, a whole queue would
// be written into the log and come back, again and again.
const BudgetTimeout = time.Minute

// Settling is what the least settling delay of a provider ([Traits].SettlingDelay) is made of: "I do not know
// this order" must not be believed while a request that its sender has given up can still arrive.
type Settling struct {
	// Lease of a worker on an order. The first byte of a request leaves at most Lease - SubmitTimeout after it
	// began, and what the kernel has not delivered SubmitTimeout later is thrown away.
	Lease time.Duration
	// SubmitTimeout is also left to the network and the provider for what arrived in the last moment.
	SubmitTimeout time.Duration
	// ClockBound is how far the clocks of the worker that sent and of the one that asks may differ.
	ClockBound time.Duration
}

// Least returns the least settling delay.
func (s Settling) Least() time.Duration { return s.Lease + s.SubmitTimeout + s.ClockBound }

// String explains the sum.
func (s Settling) String() string {
	return fmt.Sprintf("lease (%s, until a request has left or was thrown away) + submit_timeout (%s, for one that arrived last) + "+
		"clock_bound (%s, between two workers) = %s", s.Lease, s.SubmitTimeout, s.ClockBound, s.Least())
}
