package simulation

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// brokenLog answers an append in another way than the log did.
type brokenLog struct {
	worker.Log
	w      *world
	append func(l brokenLog, p payment.Payment, after, seq uint64, err error) (uint64, error)
}

func (l brokenLog) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	seq, err := l.Log.Append(ctx, p, after)
	if l.w.current == nil || l.w.current.p.dead {
		return seq, err
	}
	return l.append(l, p, after, seq, err)
}

// write puts an event behind whatever is there.
func (l brokenLog) write(p payment.Payment) (uint64, error) {
	data, err := l.w.encode(p)
	if err != nil {
		return 0, err
	}
	return l.w.log.force(p, data), nil
}

func logMutants() []Mutant {
	broken := func(name string, answer func(brokenLog, payment.Payment, uint64, uint64, error) (uint64, error)) Mutant {
		return Mutant{Name: name, log: func(w *world, l worker.Log) worker.Log { return brokenLog{l, w, answer} }}
	}
	return []Mutant{
		{Name: "two appends of one order in a batch", orderTwice: true},
		{Name: "take a batch without an answer for written", unheardBatchStored: true},
		{Name: "take a batch without an answer for refused", Harmless: true, unheardBatchStale: true},
		{Name: "take a refused batch for written", refusedBatchStored: true},
		broken("log without compare-and-set", func(l brokenLog, p payment.Payment, _, seq uint64, err error) (uint64, error) {
			if errors.Is(err, events.ErrStale) {
				return l.write(p)
			}
			return seq, err
		}),
		broken("take a refused append for a won one", func(l brokenLog, p payment.Payment, _, seq uint64, err error) (uint64, error) {
			if errors.Is(err, events.ErrStale) {
				return l.w.log.last(p.Ref).seq, nil
			}
			return seq, err
		}),
		broken("take a lost reply for written", func(l brokenLog, p payment.Payment, _, seq uint64, err error) (uint64, error) {
			if errors.Is(err, errUnheard) {
				return l.w.log.last(p.Ref).seq, nil
			}
			return seq, err
		}),
		broken("take a lost reply for not written", func(l brokenLog, p payment.Payment, _, seq uint64, err error) (uint64, error) {
			if errors.Is(err, errUnheard) {
				return l.write(p)
			}
			return seq, err
		}),
		trusting("trust the claim for what is done", func(_ *world, p payment.Payment) bool {
			return p.Status == payment.Pending || p.Status.Ended()
		}),
		trusting("trust the claim for what is parked", func(_ *world, p payment.Payment) bool { return p.Status == payment.Parked }),
		trusting("trust the claim for whose order it is", func(w *world, p payment.Payment) bool {
			return p.Fingerprint != w.log.last(p.Ref).stands.Fingerprint
		}),
	}
}

// trusting reads what the claim's record shows, where it shows something that is trusted.
func trusting(name string, trusted func(*world, payment.Payment) bool) Mutant {
	return Mutant{Name: name, log: func(w *world, l worker.Log) worker.Log { return claimLog{l, w, trusted} }}
}

type claimLog struct {
	worker.Log
	w       *world
	trusted func(*world, payment.Payment) bool
}

func (l claimLog) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	t := l.w.current
	r := l.w.claims.records[ref]
	if t != nil && !t.p.dead && t.m.stream == events.StreamCommands && r.memory != nil && l.trusted(l.w, r.memory.stands) {
		return r.memory.stands, r.memory.seq, nil
	}
	return l.Log.Last(ctx, ref)
}

// noFence releases whatever claim there is.
type noFence struct{ idempotency.Store }

func (s noFence) Release(ctx context.Context, ref payment.Ref, _ idempotency.Held) error {
	port := s.Store.(claimsPort)
	return port.do("release", ref, func() { port.p.w.claims.release(ref, port.p.w.claims.records[ref].held) })
}

// openGate lets everyone through.
type openGate struct{ idempotency.Store }

func (openGate) Claim(_ context.Context, _ payment.Ref, req idempotency.Request) (idempotency.Claim, error) {
	return idempotency.Claim{Outcome: idempotency.Won, Held: idempotency.Held{Owner: req.Owner, Fence: 1}}, nil
}

func (openGate) Renew(context.Context, payment.Ref, idempotency.Held, time.Duration) error {
	return nil
}

func (openGate) Verify(context.Context, payment.Ref, idempotency.Held, time.Duration) error {
	return nil
}

// noGate is never there.
type noGate struct{ idempotency.Store }

func (noGate) Claim(context.Context, payment.Ref, idempotency.Request) (idempotency.Claim, error) {
	return idempotency.Claim{}, errPort
}
