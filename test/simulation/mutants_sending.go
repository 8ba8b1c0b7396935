package simulation

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
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

// forgetful works with a settling delay that lacks something.
func forgetful(name string, forget func(*connectors.Settling)) Mutant {
	m := Mutant{Name: name, unsettled: forget}
	m.connector = func(_ *world, c providerPort) connectors.Connector {
		return brokenConnector{providerPort: c, hasty: new(int), delay: m.settling()}
	}
	return m
}
