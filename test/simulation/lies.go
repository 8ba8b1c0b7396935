package simulation

import (
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

// maxLie is how long a forged lease lasts at most: an order is not worked on until it ends.
const maxLie = 10 * time.Minute

// forgeClaims writes records that no worker wrote, from another time or another order, one for each order or so:
// a client that may write to the claim store may do it, and so does a restore of it, or of the log alone.
func (w *world) forgeClaims() {
	for _, o := range w.orders {
		if w.rng.IntN(4) > 0 {
			w.forgeClaim(o)
		}
	}
	w.claims.lied()
}

func (w *world) forgeClaim(o *order) {
	r, known := w.claims.records[o.ref]
	switch w.rng.IntN(5) {
	case 0: // no worker holds it
		r.free = true
	case 1: // a worker does, which does not exist
		r.held, r.free, r.until = idempotency.Held{Owner: w.id(), Fence: r.held.Fence + 1}, false, w.now+w.between(0, maxLie)
	case 2: // the fence of another time, before the first or after many
		r.held.Fence = [...]int64{0, 1, r.held.Fence + int64(w.rng.IntN(1000))}[w.rng.IntN(3)]
	case 3: // the record of another order
		r = w.claims.records[w.orders[w.rng.IntN(len(w.orders))].ref]
	case 4: // nothing
		r = claimRecord{free: true}
	}
	if !known && r.held.Owner == "" {
		r.free = true
	}
	w.note("the claim of %s is forged", o.ref.Order)
	w.forgeMemory(o, &r)
	w.claims.records[o.ref] = r
}

// forgeMemory changes what a record shows of the payment: an older event or a newer one, another status, another
// command's payment, another order's, or one that the log does not know.
func (w *world) forgeMemory(o *order, r *claimRecord) {
	m := *w.log.last(o.ref)
	if list := w.log.lists[o.ref]; len(list) > 0 && w.rng.IntN(3) == 0 {
		m.stands = list[w.rng.IntN(len(list))].stands
	}
	if m.seq == 0 {
		m.seq, m.stands = w.log.seq+1+uint64(w.rng.IntN(5)), payment.New(o.cmd)
	}
	m.seq += uint64(w.rng.IntN(4) / 3)
	statuses := [...]payment.Status{payment.Parked, payment.Pending, payment.Settled, payment.Failed, m.stands.Status}
	if m.stands.Status = statuses[w.rng.IntN(len(statuses))]; m.stands.Status == payment.Requested {
		m.stands.Status = payment.Pending
	}
	if w.rng.IntN(4) == 0 {
		m.stands.Fingerprint = "of another command"
	}
	r.memory = &m
}

// lied says that what the store answered the workers is worth nothing any more.
func (c *memoryClaims) lied() { c.become(c.records) }

// lieAboutClaim changes an answer on its way.
func (w *world) lieAboutClaim(ref payment.Ref, req idempotency.Request, claim idempotency.Claim) idempotency.Claim {
	if !w.fails(claimLies) {
		return claim
	}
	w.note("the claim store lies about %s", ref.Order)
	w.claims.lied()
	if claim.Outcome == idempotency.Won && w.rng.IntN(3) == 0 {
		return idempotency.Claim{Outcome: idempotency.Busy, Wait: w.between(0, maxLie)}
	}
	return idempotency.Claim{Outcome: idempotency.Won, Held: idempotency.Held{Owner: req.Owner, Fence: 1 + int64(w.rng.IntN(3))}}
}

// lieAboutLease says the opposite, of a lease that a worker wants to have or to have confirmed.
func (w *world) lieAboutLease(ref payment.Ref, err error) error {
	if !w.fails(claimLies) {
		return err
	}
	w.note("the claim store lies about the lease of %s", ref.Order)
	w.claims.lied()
	if err == nil {
		return idempotency.ErrLost
	}
	return nil
}
