package simulation

import (
	"context"
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

// memoryClaims is a claim store that can forget, and that can be made to lie, see lies.go.
type memoryClaims struct {
	w       *world
	records map[payment.Ref]claimRecord
	down    bool

	forgot  int                    // how often, or lied
	holders map[payment.Ref]holder // since then, see exclusive
}

type claimRecord struct {
	held   idempotency.Held
	free   bool
	until  time.Duration
	memory *logEvent // what the record shows of the payment; only planted mistakes look at it
}

func newMemoryClaims(w *world) *memoryClaims {
	return &memoryClaims{w: w, records: map[payment.Ref]claimRecord{}, holders: map[payment.Ref]holder{}}
}

// become gives the store other records than it had.
func (c *memoryClaims) become(records map[payment.Ref]claimRecord) {
	c.records, c.holders = records, map[payment.Ref]holder{}
	c.forgot++
}

// planClaims draws when the store forgets, is down, or goes back to an older state.
func (w *world) planClaims() {
	for range 4 {
		if w.chance(claimsFlushed) {
			w.after(w.between(0, w.calm), func() { w.note("claims are flushed"); w.claims.become(map[payment.Ref]claimRecord{}) })
		}
		if w.chance(claimsDown) {
			from := w.between(0, w.calm)
			w.after(from, func() { w.note("claims are down"); w.claims.down = true })
			w.after(w.between(from, w.calm), func() { w.note("claims are back"); w.claims.down = false })
		}
		if w.chance(claimsFailOver) {
			w.after(w.between(0, w.calm), w.failOver)
		}
		if w.chance(claimsForged) {
			w.after(w.between(0, w.calm), w.forgeClaims)
		}
	}
}

// failOver brings the state of now back a while later.
func (w *world) failOver() {
	old := make(map[payment.Ref]claimRecord, len(w.claims.records))
	for ref, r := range w.claims.records {
		old[ref] = r
	}
	w.after(w.between(0, time.Minute), func() {
		w.note("claims fail over to an older state")
		w.claims.become(old)
	})
}

func (c *memoryClaims) claim(ref payment.Ref, req idempotency.Request) idempotency.Claim {
	r, known := c.records[ref]
	if !known {
		r = claimRecord{free: true}
	}
	now := c.w.now
	switch {
	case !r.free && r.held.Owner != req.Owner && now < r.until:
		return idempotency.Claim{Outcome: idempotency.Busy, Wait: r.until - now}
	case r.free || r.held.Owner != req.Owner:
		r.held.Fence++
	}
	r.held.Owner, r.free, r.until = req.Owner, false, now+req.Lease
	c.records[ref] = r
	return idempotency.Claim{Outcome: idempotency.Won, Held: r.held}
}

func (c *memoryClaims) renew(ref payment.Ref, held idempotency.Held, lease time.Duration) error {
	r, known := c.records[ref]
	if !known || r.held != held || r.free {
		return idempotency.ErrLost
	}
	r.until = c.w.now + lease
	c.records[ref] = r
	return nil
}

func (c *memoryClaims) verify(ref payment.Ref, held idempotency.Held, left time.Duration) error {
	switch r, known := c.records[ref]; {
	case !known:
		return errPort
	case r.held != held || r.free || r.until-c.w.now < left:
		return idempotency.ErrLost
	}
	return nil
}

func (c *memoryClaims) release(ref payment.Ref, held idempotency.Held) {
	if r, known := c.records[ref]; known && r.held == held && !r.free {
		r.free = true
		c.records[ref] = r
	}
}

// claimsPort is the store as one process reaches it.
type claimsPort struct{ p *process }

// do makes a call, or not.
func (c claimsPort) do(what string, ref payment.Ref, run func()) error {
	t, err := c.p.call()
	if err != nil {
		return err
	}
	w := c.p.w
	t.travel()
	if w.claims.down || w.fails(claimFails) {
		w.note("%s %s %s: fails", c.p.name, what, ref.Order)
		return errPort
	}
	run()
	unheard := w.fails(claimUnheard)
	t.travel()
	if unheard {
		w.note("%s %s %s: the reply is lost", c.p.name, what, ref.Order)
		return errPort
	}
	return nil
}

func (c claimsPort) Claim(_ context.Context, ref payment.Ref, req idempotency.Request) (claim idempotency.Claim, err error) {
	err = c.do("claim", ref, func() {
		w := c.p.w
		claim = w.lieAboutClaim(ref, req, w.claims.claim(ref, req))
		if w.tracing {
			w.note("%s claims %s: %s, fence %d", c.p.name, ref.Order, [...]string{"", "won", "busy"}[claim.Outcome], claim.Held.Fence)
		}
	})
	if err != nil {
		return idempotency.Claim{}, err
	}
	return claim, nil
}

func (c claimsPort) Renew(_ context.Context, ref payment.Ref, held idempotency.Held, lease time.Duration) error {
	var result error
	if t := c.p.w.current; t != nil {
		t.started, t.seen = t.looked, seen{} // the engine's lease begins then, whatever the store says
	}
	if err := c.do("renew", ref, func() { result = c.p.w.lieAboutLease(ref, c.p.w.claims.renew(ref, held, lease)) }); err != nil {
		return err
	}
	return result
}

func (c claimsPort) Verify(_ context.Context, ref payment.Ref, held idempotency.Held, left time.Duration) error {
	var truth, result error
	var before seen
	asked, t := c.p.mono(), c.p.w.current
	err := c.do("verify", ref, func() {
		truth, before, t.exposed = c.p.w.claims.verify(ref, held, left), t.seen, true
		if result = truth; t.dialed { // the answer is all that there is on a connection that was open already
			result = c.p.w.lieAboutLease(ref, truth)
		}
	})
	switch {
	case err != nil || c.p.mono()-asked >= fenceTimeout:
		result = errPort
		fallthrough
	case result != nil:
		t.exposed = false
	default:
		t.trusted, t.confirmed = true, truth == nil
		if t.confirmed && t.seen == before {
			t.seen = seen{}
		}
	}
	return result
}

func (c claimsPort) Release(_ context.Context, ref payment.Ref, held idempotency.Held) error {
	return c.do("release", ref, func() { c.p.w.claims.release(ref, held) })
}
