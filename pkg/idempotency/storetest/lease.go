package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

func oneWins(s suite) {
	const owners = 100
	var wait sync.WaitGroup
	claims, errs := make([]idempotency.Claim, owners), make([]error, owners)
	for i := range owners {
		wait.Go(func() {
			claims[i], errs[i] = s.store.Claim(s.Context(), order, request(fmt.Sprintf("owner-%d", i), long))
		})
	}
	wait.Wait()
	won, busy := 0, 0
	for i := range owners {
		s.ok(errs[i], "claim")
		switch claims[i].Outcome {
		case idempotency.Won:
			won++
		case idempotency.Busy:
			busy++
		}
	}
	s.must(won == 1 && busy == owners-1, "%d won and %d found it busy, of %d", won, busy, owners)
}

func claimAgain(s suite) {
	first := s.claim(request("a", short), idempotency.Won)
	s.must(first.Held.Fence > 0, "fence %d", first.Held.Fence)
	again := s.claim(request("a", long), idempotency.Won)
	s.must(again.Held == first.Held, "held %+v, then %+v", first.Held, again.Held)
	s.advance(short + tick)
	s.claim(request("b", long), idempotency.Busy) // the second lease counts
	s.must(s.win("a") == first.Held, "another fence while the claim is held")
}

func busy(s suite) {
	held := s.win("a")
	got := s.claim(request("b", short), idempotency.Busy)
	s.must(got.Wait > 0 && got.Wait <= long, "wait %s for a lease of %s", got.Wait, long)
	s.advance(time.Second)
	later := s.claim(request("b", short), idempotency.Busy)
	s.must(later.Wait <= long-time.Second, "wait %s after a second of %s", later.Wait, long)
	s.ok(s.renew(held), "renew by the owner after others found it busy")
}

func leaseEnds(s suite) {
	first := s.claim(request("a", short), idempotency.Won)
	s.release(first.Held)
	second := s.claim(request("b", short), idempotency.Won)
	s.advance(short + tick)
	third := s.claim(request("c", long), idempotency.Won)
	s.must(second.Held.Fence == first.Held.Fence+1 && third.Held.Fence == second.Held.Fence+1,
		"fences %d, %d, %d", first.Held.Fence, second.Held.Fence, third.Held.Fence)
}

func leaseEndsUntaken(s suite) {
	first := s.claim(request("a", short), idempotency.Won)
	s.advance(short + tick)
	s.ok(s.renew(first.Held), "renew of a lease that ran out")
	s.claim(request("b", long), idempotency.Busy)

	again := s.claim(request("a", short), idempotency.Won)
	s.advance(short + tick)
	again = s.claim(request("a", short), idempotency.Won)
	s.must(again.Held == first.Held, "held %+v, then %+v", first.Held, again.Held)

	s.advance(short + tick)
	s.release(first.Held)
	s.must(s.win("b").Fence == first.Held.Fence+1, "a release after the lease ran out")
}

func lateOwner(s suite) {
	late := s.claim(request("a", short), idempotency.Won).Held
	s.advance(short + tick)
	now := s.win("b")
	s.lost(late)
	s.ok(s.renew(now), "renew by the new owner")
	s.release(now)
	s.lost(late)
	s.must(s.win("c").Fence == now.Fence+1, "the new owner's release does not count")
}

// lost tests that what was held is no more, and that trying to use it changes nothing.
func (s suite) lost(held idempotency.Held) {
	s.Helper()
	s.must(s.verify(held, time.Millisecond) != nil, "verify by a late owner is not refused")
	s.must(errors.Is(s.renew(held), idempotency.ErrLost), "renew by a late owner is not refused")
	s.release(held)
}

func foreignOwner(s suite) {
	held := s.win("a")
	s.lost(idempotency.Held{Owner: "b", Fence: held.Fence})
	s.lost(idempotency.Held{Owner: "a", Fence: held.Fence + 1})
	s.claim(request("b", long), idempotency.Busy) // neither release did anything
	s.must(s.win("a") == held, "the claim changed")
}

func renew(s suite) {
	held := s.claim(request("a", short), idempotency.Won).Held
	s.ok(s.renew(held), "renew")
	s.ok(s.renew(held), "renew, repeated")
	s.advance(short + tick)
	got := s.claim(request("b", long), idempotency.Busy)
	s.must(got.Wait > long/2 && got.Wait <= long, "wait %s for a renewed lease of %s", got.Wait, long)
}

func verify(s suite) {
	held := s.claim(request("a", short), idempotency.Won).Held
	s.ok(s.verify(held, short/2), "verify")
	s.must(errors.Is(s.verify(held, short+tick), idempotency.ErrLost), "more of the lease is left than there was")
	s.advance(short + tick)
	s.must(errors.Is(s.verify(held, time.Millisecond), idempotency.ErrLost), "a lease that ran out is verified")
	s.ok(s.renew(held), "renew")
	s.ok(s.verify(held, short), "verify after renewing")
	s.release(held)
	s.must(errors.Is(s.verify(held, time.Millisecond), idempotency.ErrLost), "given back, and it is verified")
	s.win("b")
	s.must(errors.Is(s.verify(held, time.Millisecond), idempotency.ErrLost), "another has it, and it is verified")
	unknown := s.store.Verify(s.Context(), payment.Ref{Provider: order.Provider, Order: "unknown"}, held, short)
	s.must(unknown != nil && !errors.Is(unknown, idempotency.ErrLost), "of a record that is gone something is known: %v", unknown)
}

func release(s suite) {
	first := s.win("a")
	s.must(first.First(), "a new order begins with fence %d", first.Fence)
	s.release(first)
	s.release(first) // repeated
	second := s.win("b")
	s.must(second.Fence == first.Fence+1 && !second.First(), "fence %d after %d", second.Fence, first.Fence)
	s.release(first) // repeated, late
	s.claim(request("c", long), idempotency.Busy)
}

func releasedIsLost(s suite) {
	held := s.win("a")
	s.release(held)
	s.lost(held)
	next := s.win("a")
	s.must(next.Fence == held.Fence+1, "fence %d after %d was given back", next.Fence, held.Fence)
	s.lost(held)
	s.claim(request("b", long), idempotency.Busy)
}
