// Package idempotency is the gate in front of a payment: the claim that says who works on an order
// now. It keeps concurrent workers away cheaply, and says nothing about the payment: that is in the log.
// When the store is empty, stale, forged or down, the log refuses what would be wrong.
package idempotency

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/payment"
)

// ErrLost says that the claim is not the caller's any more: its lease ran out and another took it, or
// the store forgot it. The caller must stop writing to the store; what it does to the log is refused
// there if it is wrong.
var ErrLost = errors.New("the claim is lost")

// Store keeps claims. All methods are safe for concurrent use. Every error other than ErrLost means
// that the store could not be asked: nothing is known, and nothing may be concluded from it.
type Store interface {
	// Claim tries to take the order for owner, for the length of the lease. It is idempotent: asked
	// again by the owner that holds the claim (because a reply was lost), it gives the same claim with
	// the same fence and a new lease.
	Claim(ctx context.Context, ref payment.Ref, req Request) (Claim, error)

	// Renew makes the lease of a claim that is held begin again.
	Renew(ctx context.Context, ref payment.Ref, held Held, lease time.Duration) error

	// Verify returns nil if the claim is still the caller's and at least left of its lease remains, by the
	// store's own clock. It is ErrLost if another took the order, if it was given back, and if less of the
	// lease remains. A record that is gone is another error: the store knows nothing about it.
	Verify(ctx context.Context, ref payment.Ref, held Held, left time.Duration) error

	// Release gives the claim back. The record is kept for the retention. To release a claim that is lost is
	// no error, and changes nothing.
	Release(ctx context.Context, ref payment.Ref, held Held) error
}

// Request is what a worker asks for.
type Request struct {
	Owner     string        // unique for each piece of work, e.g. a UUID; asked again with the same after a lost reply
	Lease     time.Duration // counted by the server's clock
	Retention time.Duration // how long the record lives at least after the last change; more than Lease
}

// Held names a claim that its owner holds. The fence grows with every new owner of an order, so that a
// late one is recognised. The first owner that the store remembers has the fence 1.
type Held struct {
	Owner string
	Fence int64
}

// First reports whether the store remembers no earlier owner, so that the log probably knows no payment. It is
// a hint only: a store that forgot everything says so of each order.
func (h Held) First() bool { return h.Fence == 1 }

// Outcome says how a Claim ended.
type Outcome int

// The outcomes. The zero Outcome is none of them, so that a forgotten one is never a "go ahead".
const (
	_ Outcome = iota
	// Won: the caller holds the order until the lease ends.
	Won
	// Busy: another owner holds it, see Claim.Wait.
	Busy
)

// Claim is the store's answer.
type Claim struct {
	Outcome Outcome
	Held    Held          // when Won
	Wait    time.Duration // when Busy: how long the other's lease still runs
}
