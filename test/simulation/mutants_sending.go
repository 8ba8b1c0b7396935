package simulation

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// sendingMutants mistake the last check before a request leaves, and how long a request can be on its way.
func sendingMutants() []Mutant {
	type check = func(context.Context, bool) error
	return []Mutant{
		{Name: "send without a last check", fence: func(context.Context, check, bool) error { return nil }},
		{Name: "make the last check before the connection", fenceFirst: true},
		{Name: "take a new connection for one that stood already", fence: func(ctx context.Context, c check, _ bool) error { return c(ctx, false) }},
		{Name: "look at the clocks before the claim store is asked", clock: func(t *task, wall time.Time, mono time.Duration) time.Time {
			if t.fenced != nil {
				return reading(t.fenced.wall, t.fenced.mono)
			}
			return reading(wall, mono)
		}},
		{Name: "measure the lease by the monotonic clock alone", clock: func(_ *task, _ time.Time, mono time.Duration) time.Time {
			return reading(epoch.Add(mono), mono)
		}},
		{Name: "measure the lease by the clocks alone", claims: func(s idempotency.Store) idempotency.Store { return unverified{s, false} }},
		{Name: "ask nobody when the claim store is away", claims: func(s idempotency.Store) idempotency.Store { return unverified{s, true} }},
		{Name: "trust the claim store in the last check", log: func(w *world, l worker.Log) worker.Log { return unasked{l, w} }},
		{Name: "go by the time of before a suspension", undated: true},
		forgetful("forget the clocks in the settling delay", func(s *connectors.Settling) { s.ClockBound = 0 }),
		forgetful("forget the submit timeout in the settling delay", func(s *connectors.Settling) { s.SubmitTimeout = 0 }),
		forgetful("forget the lease in the settling delay", func(s *connectors.Settling) { s.Lease = 0 }),
	}
}

// unverified lets every request pass, or only if the store cannot be asked.
type unverified struct {
	idempotency.Store
	away bool
}

func (s unverified) Verify(ctx context.Context, ref payment.Ref, held idempotency.Held, left time.Duration) error {
	err := s.Store.Verify(ctx, ref, held, left)
	if s.away && errors.Is(err, idempotency.ErrLost) {
		return err
	}
	return nil
}

// unasked is not asked in the last check where the claim store said yes.
type unasked struct {
	worker.Log
	w *world
}

func (l unasked) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	seq, err := l.Log.Append(ctx, p, after)
	if t := l.w.current; t != nil {
		t.wrote = seq
	}
	return seq, err
}

func (l unasked) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	if t := l.w.current; t != nil && t.fenced != nil && t.trusted {
		return payment.Payment{}, t.wrote, nil
	}
	return l.Log.Last(ctx, ref)
}

// forgetful works with a settling delay that lacks something.
func forgetful(name string, forget func(*connectors.Settling)) Mutant {
	m := Mutant{Name: name, unsettled: forget}
	m.connector = func(_ *world, c providerPort) connectors.Connector {
		return brokenConnector{providerPort: c, hasty: new(int), delay: m.settling()}
	}
	return m
}
