package simulation

import (
	"context"
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

// exclusive watches what the claim store answers the workers: as long as it forgets nothing and does not lie, no
// two of them may get the answer within one lease that an order is theirs.
type exclusive struct {
	idempotency.Store
	w *world
}

// holder is a worker that got the answer that it won.
type holder struct {
	owner string
	until time.Duration // its lease runs at least so long
}

func (e exclusive) Claim(ctx context.Context, ref payment.Ref, req idempotency.Request) (idempotency.Claim, error) {
	until, memory := e.w.now+req.Lease, e.w.claims.forgot
	claim, err := e.Store.Claim(ctx, ref, req)
	if err != nil || claim.Outcome != idempotency.Won || memory != e.w.claims.forgot || e.w.now >= until { // heard too late
		return claim, err
	}
	if h, held := e.w.claims.holders[ref]; held && h.owner != req.Owner && e.w.now < h.until {
		e.w.problem("%s: two workers hold it at once", ref.Order)
	}
	e.w.claims.holders[ref] = holder{req.Owner, until}
	return claim, err
}

func (e exclusive) Renew(ctx context.Context, ref payment.Ref, held idempotency.Held, lease time.Duration) error {
	asked := e.w.now
	err := e.Store.Renew(ctx, ref, held, lease)
	if h, known := e.w.claims.holders[ref]; err == nil && known && h.owner == held.Owner {
		e.w.claims.holders[ref] = holder{held.Owner, max(h.until, asked+lease)}
	}
	return err
}

func (e exclusive) Release(ctx context.Context, ref payment.Ref, held idempotency.Held) error {
	e.leave(ref, held)
	return e.Store.Release(ctx, ref, held)
}

// leave is called before a worker gives an order back: the store may have done it though it does not say so.
func (e exclusive) leave(ref payment.Ref, held idempotency.Held) {
	if e.w.claims.holders[ref].owner == held.Owner {
		delete(e.w.claims.holders, ref)
	}
}
