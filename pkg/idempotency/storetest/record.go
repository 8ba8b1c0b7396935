package storetest

import (
	"errors"
	"strings"
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

func retentionEnds(s suite) {
	req := request("a", short)
	req.Retention = brief
	held := s.claim(req, idempotency.Won).Held
	s.release(held)
	s.advance(brief + tick)
	s.must(errors.Is(s.renew(held), idempotency.ErrLost), "the record outlives its retention")
	next := s.claim(req, idempotency.Won)
	s.must(next.Held.First(), "a forgotten order gave %+v", next)
}

// retentionBeginsAgain makes each change to an order of its own, a bit more than half of the retention after its record
// was written, and looks for the record as long after the change.
func retentionBeginsAgain(s suite) {
	const step = brief * 11 / 20
	req := request("a", short)
	req.Retention = brief
	claim := func(owner string) func(payment.Ref, idempotency.Held) error {
		return func(ref payment.Ref, _ idempotency.Held) error {
			req := req
			req.Owner = owner
			_, err := s.store.Claim(s.Context(), ref, req)
			return err
		}
	}
	changes := map[string]func(payment.Ref, idempotency.Held) error{
		"claim":             claim("a"),
		"claim-of-the-next": claim("b"),
		"renew": func(ref payment.Ref, held idempotency.Held) error {
			return s.store.Renew(s.Context(), ref, held, short)
		},
		"release": func(ref payment.Ref, held idempotency.Held) error {
			return s.store.Release(s.Context(), ref, held)
		},
	}
	ref := func(change string) payment.Ref { return payment.Ref{Provider: order.Provider, Order: change} }
	held := map[string]idempotency.Held{}
	for name := range changes {
		first := s.claimOf(ref(name), req, idempotency.Won).Held
		s.ok(s.store.Release(s.Context(), ref(name), first), "release")
		held[name] = s.claimOf(ref(name), req, idempotency.Won).Held
	}
	s.advance(step)
	for name, change := range changes {
		s.ok(change(ref(name), held[name]), name)
	}
	s.advance(step)
	for name := range changes {
		last := s.claimOf(ref(name), request("c", long), idempotency.Won)
		s.must(!last.Held.First(), "the record ended although it was changed by %s: %+v", name, last)
	}
}

func unknownIsLost(s suite) { s.lost(idempotency.Held{Owner: "a", Fence: 1}) }

func noCollision(s suite) {
	refs := []payment.Ref{
		{Provider: "a", Order: "b"}, {Provider: "b", Order: "a"}, {Provider: "a", Order: "B"},
		{Provider: "a-b", Order: "c"}, {Provider: "a", Order: "b-c"}, {Provider: "a", Order: "b_c"},
	}
	for _, ref := range refs {
		held := s.claimOf(ref, request("a", long), idempotency.Won).Held
		s.must(held.First(), "%s begins with fence %d", ref, held.Fence)
	}
	for _, ref := range refs {
		s.claimOf(ref, request("b", long), idempotency.Busy)
	}
}

func mistakes(s suite) {
	claims := map[string]func(*payment.Ref, *idempotency.Request){
		"no owner":                       func(_ *payment.Ref, r *idempotency.Request) { r.Owner = "" },
		"no lease":                       func(_ *payment.Ref, r *idempotency.Request) { r.Lease = 0 },
		"negative lease":                 func(_ *payment.Ref, r *idempotency.Request) { r.Lease = -time.Second },
		"retention shorter than lease":   func(_ *payment.Ref, r *idempotency.Request) { r.Retention = r.Lease - 1 },
		"provider that cannot be":        func(ref *payment.Ref, _ *idempotency.Request) { ref.Provider = "a}:{b" },
		"order that cannot be":           func(ref *payment.Ref, _ *idempotency.Request) { ref.Order = "" },
		"order that is longer than ours": func(ref *payment.Ref, _ *idempotency.Request) { ref.Order = strings.Repeat("1", 65) },
	}
	for name, spoil := range claims {
		ref, req := order, request("a", long)
		spoil(&ref, &req)
		got, err := s.store.Claim(s.Context(), ref, req)
		s.refused(name, err)
		s.must(got.Outcome == 0, "%s: outcome %d", name, got.Outcome)
	}
	held := s.win("a")
	wrong := payment.Ref{Provider: "A", Order: "1"}
	for _, none := range []idempotency.Held{{}, {Owner: "a"}, {Fence: 1}, {Owner: "a", Fence: -1}} {
		s.refused("renew, held", s.renew(none))
		s.refused("release, held", s.store.Release(s.Context(), order, none))
	}
	s.refused("renew, ref", s.store.Renew(s.Context(), wrong, held, long))
	s.refused("renew, lease", s.store.Renew(s.Context(), order, held, 0))
	s.refused("release, ref", s.store.Release(s.Context(), wrong, held))
	s.claim(request("b", long), idempotency.Busy) // nothing of it was done
}

// refused tests that an error is there and does not say that a claim is lost.
func (s suite) refused(what string, err error) {
	s.Helper()
	s.must(err != nil && !errors.Is(err, idempotency.ErrLost), "%s: %v", what, err)
}

func cancelled(s suite) {
	ctx := cancelledContext()
	got, err := s.store.Claim(ctx, order, request("a", long))
	s.refused("claim", err)
	s.must(got.Outcome == 0, "outcome %d", got.Outcome)
	held := s.win("b")
	s.must(held.Fence == 1, "the cancelled claim was made: fence %d", held.Fence)
	s.refused("renew", s.store.Renew(ctx, order, held, long))
	s.refused("release", s.store.Release(ctx, order, held))
	s.claim(request("c", long), idempotency.Busy) // the cancelled release was not made
}
