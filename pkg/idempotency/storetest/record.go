package storetest

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"time"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

func complete(s suite) {
	first := s.claim(request("a", long), idempotency.Won)
	s.must(first.Last.Sequence == 0 && first.Last.Payment == nil, "a new order has a snapshot %+v", first.Last)
	s.ok(s.complete(first.Held, snapshot(12)), "complete")
	second := s.claim(request("b", long), idempotency.Won)
	s.must(second.Last.Sequence == 12 && string(second.Last.Payment) == `{"at":12}`, "last %+v", second.Last)
	s.ok(s.complete(second.Held, snapshot(15)), "complete")
	third := s.claim(request("c", long), idempotency.Won)
	s.must(third.Last.Sequence == 15 && string(third.Last.Payment) == `{"at":15}`, "last %+v", third.Last)
}

func completedIsGivenBack(s suite) {
	held := s.win("a")
	s.ok(s.complete(held, snapshot(1)), "complete")
	s.must(errors.Is(s.renew(held), idempotency.ErrLost), "a completed claim can be renewed")
	s.release(held)
	next := s.win("a") // the same token, as a new owner
	s.must(next.Fence == held.Fence+1, "fence %d after %d was given back", next.Fence, held.Fence)
	s.claim(request("b", long), idempotency.Busy)
}

func completeAgain(s suite) {
	first := s.win("a")
	s.ok(s.complete(first, snapshot(1)), "complete")
	s.ok(s.complete(first, snapshot(1)), "complete, repeated")
	s.lost(idempotency.Held{Owner: "b", Fence: first.Fence}) // a fence of before the store forgot
	second := s.win("b")
	s.ok(s.complete(first, snapshot(1)), "complete, repeated after another owner came")
	s.ok(s.renew(second), "renew by the other owner")
	s.claim(request("c", long), idempotency.Busy)
	s.ok(s.complete(first, snapshot(9)), "complete, repeated with another snapshot")
	s.must(s.claim(request("b", long), idempotency.Won).Last.Sequence == 1, "a late owner changed the snapshot")
	s.ok(s.complete(second, snapshot(2)), "complete by the other owner")
	s.lost(first)
	s.must(s.claim(request("d", long), idempotency.Won).Last.Sequence == 2, "a late owner changed the snapshot")
}

func olderSequence(s suite) {
	// As texts, "9" is more than "10"; as floating point numbers, the last two are equal.
	for i, sequence := range []uint64{9, 10, math.MaxUint64 - 1, math.MaxUint64} {
		s.ok(s.complete(s.win("a"), snapshot(sequence)), "complete")
		s.ok(s.complete(s.win("b"), snapshot(sequence-1)), "complete with an older sequence")
		last := s.claim(request("c", long), idempotency.Won)
		s.must(last.Last.Sequence == sequence && string(last.Last.Payment) == string(snapshot(sequence).Payment),
			"%d: last %+v; want sequence %d", i, last.Last, sequence)
		s.release(last.Held)
	}
}

func anyBytes(s suite) {
	every := make([]byte, 0, 1024)
	for i := range 1024 {
		every = append(every, byte(i), byte(i>>2))
	}
	for i, data := range [][]byte{every, []byte("\x00"), []byte("\r\n$-1\r\n"), []byte("\xff\xfe"), []byte("{}[]%s")} {
		s.ok(s.complete(s.win("a"), idempotency.Snapshot{Sequence: uint64(i + 1), Payment: data}), "complete")
		last := s.claim(request("b", long), idempotency.Won)
		s.must(bytes.Equal(last.Last.Payment, data), "kept %q, gave %q", data, last.Last.Payment)
		s.release(last.Held)
	}
}

func reused(s suite) {
	other := request("b", long)
	other.Fingerprint = "f-2"
	held := s.win("a")
	known := func(sequence uint64, when string) {
		s.Helper()
		last := s.claim(other, idempotency.Reused).Last
		want := idempotency.Snapshot{}
		if sequence > 0 {
			want = snapshot(sequence)
		}
		s.must(last.Sequence == want.Sequence && bytes.Equal(last.Payment, want.Payment), "reused %s: %+v", when, last)
	}
	known(0, "while it is held")
	other.Owner = "a"
	known(0, "by the same owner")
	s.claim(request("c", long), idempotency.Busy)
	s.ok(s.renew(held), "renew after a reuse was refused")
	s.ok(s.complete(held, snapshot(2)), "complete after a reuse was refused")
	known(2, "when it is completed")
	last := s.claim(request("c", long), idempotency.Won)
	s.must(last.Held.Fence == held.Fence+1 && last.Last.Sequence == 2, "the first payment was disturbed: %+v", last)
}

func retentionEnds(s suite) {
	req := request("a", short)
	req.Retention = brief
	held := s.claim(req, idempotency.Won).Held
	s.ok(s.store.Complete(s.Context(), order, held, snapshot(2), brief), "complete")
	s.advance(brief + tick)
	s.must(errors.Is(s.complete(held, snapshot(3)), idempotency.ErrLost), "the record outlives its retention")
	req.Fingerprint = "f-2"
	next := s.claim(req, idempotency.Won)
	s.must(next.Held.Fence == 1 && next.Last.Sequence == 0, "a forgotten order gave %+v", next)
}

// retentionBeginsAnew makes each change to an order of its own, a bit more than half of the retention after its record
// was written, and looks for the record as long after the change.
func retentionBeginsAnew(s suite) {
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
		"complete": func(ref payment.Ref, held idempotency.Held) error {
			return s.store.Complete(s.Context(), ref, held, snapshot(6), brief)
		},
		"release": func(ref payment.Ref, held idempotency.Held) error {
			return s.store.Release(s.Context(), ref, held)
		},
	}
	ref := func(change string) payment.Ref { return payment.Ref{Provider: order.Provider, Order: change} }
	held := map[string]idempotency.Held{}
	for name := range changes {
		first := s.claimOf(ref(name), req, idempotency.Won).Held
		s.ok(s.store.Complete(s.Context(), ref(name), first, snapshot(6), brief), "complete")
		held[name] = s.claimOf(ref(name), req, idempotency.Won).Held
	}
	s.advance(step)
	for name, change := range changes {
		s.ok(change(ref(name), held[name]), name)
	}
	s.advance(step)
	for name := range changes {
		last := s.claimOf(ref(name), request("c", long), idempotency.Won)
		s.must(last.Last.Sequence == 6, "the record ended although it was changed by %s: %+v", name, last)
	}
}

func unknownIsLost(s suite) { s.lost(idempotency.Held{Owner: "a", Fence: 1}) }

func noCollision(s suite) {
	refs := []payment.Ref{
		{Provider: "a", Order: "b"}, {Provider: "b", Order: "a"}, {Provider: "a", Order: "B"},
		{Provider: "a-b", Order: "c"}, {Provider: "a", Order: "b-c"}, {Provider: "a", Order: "b_c"},
	}
	for i, ref := range refs {
		req := request("a", long)
		req.Fingerprint = ref.String()
		held := s.claimOf(ref, req, idempotency.Won).Held
		s.must(held.Fence == 1, "%s begins with fence %d", ref, held.Fence)
		s.ok(s.store.Complete(s.Context(), ref, held, snapshot(uint64(i+1)), retention), "complete")
	}
	for i, ref := range refs {
		req := request("b", long)
		req.Fingerprint = ref.String()
		last := s.claimOf(ref, req, idempotency.Won)
		s.must(last.Last.Sequence == uint64(i+1), "%s has the snapshot %+v", ref, last.Last)
	}
}

func mistakes(s suite) {
	claims := map[string]func(*payment.Ref, *idempotency.Request){
		"no owner":                       func(_ *payment.Ref, r *idempotency.Request) { r.Owner = "" },
		"no fingerprint":                 func(_ *payment.Ref, r *idempotency.Request) { r.Fingerprint = "" },
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
		s.refused("complete, held", s.complete(none, snapshot(1)))
		s.refused("release, held", s.store.Release(s.Context(), order, none))
	}
	s.refused("renew, ref", s.store.Renew(s.Context(), wrong, held, long))
	s.refused("renew, lease", s.store.Renew(s.Context(), order, held, 0))
	s.refused("complete, ref", s.store.Complete(s.Context(), wrong, held, snapshot(1), retention))
	s.refused("complete, retention", s.store.Complete(s.Context(), order, held, snapshot(1), 0))
	s.refused("complete, sequence", s.complete(held, idempotency.Snapshot{Payment: []byte("{}")}))
	s.refused("complete, payment", s.complete(held, idempotency.Snapshot{Sequence: 1}))
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
	s.refused("complete", s.store.Complete(ctx, order, held, snapshot(1), retention))
	s.refused("release", s.store.Release(ctx, order, held))
	s.claim(request("c", long), idempotency.Busy)
	s.must(s.claim(request("b", long), idempotency.Won).Last.Sequence == 0, "the cancelled complete was made")
}
