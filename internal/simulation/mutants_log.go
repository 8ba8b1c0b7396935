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

// write puts an event behind whatever stands there.
func (l brokenLog) write(p payment.Payment) (uint64, error) {
	out, err := events.EncodePayment(p, "event")
	if err != nil {
		return 0, err
	}
	return l.w.log.force(p, out.Data), nil
}

func logMutants() []Mutant {
	broken := func(name string, answer func(brokenLog, payment.Payment, uint64, uint64, error) (uint64, error)) Mutant {
		return Mutant{Name: name, log: func(w *world, l worker.Log) worker.Log { return brokenLog{l, w, answer} }}
	}
	return []Mutant{
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
		{Name: "complete before append", log: func(w *world, l worker.Log) worker.Log { return hastyLog{l, w} }},
		{Name: "trust the snapshot over the log", log: func(w *world, l worker.Log) worker.Log { return snapshotLog{l, w} }},
	}
}

// snapshotLog reads the claim's snapshot, and the log only when there is none.
type snapshotLog struct {
	worker.Log
	w *world
}

func (l snapshotLog) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	if r, known := l.w.claims.records[ref]; known && r.last.Sequence > 0 {
		p, err := events.DecodePayment(r.last.Payment)
		return p, l.w.log.last(ref).seq, err
	}
	return l.Log.Last(ctx, ref)
}

// hastyLog completes the claim with what is about to be appended.
type hastyLog struct {
	worker.Log
	w *world
}

func (l hastyLog) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	out, err := events.EncodePayment(p, "snapshot")
	if err != nil {
		return 0, err
	}
	if r, known := l.w.claims.records[p.Ref]; known && l.w.current != nil {
		r.free, r.doneBy, r.last = true, r.held, idempotency.Snapshot{Sequence: l.w.log.seq + 1, Payment: out.Data}
		l.w.claims.records[p.Ref] = r
	}
	return l.Log.Append(ctx, p, after)
}

// noFence completes and releases whatever claim there is.
type noFence struct{ idempotency.Store }

func (s noFence) Complete(ctx context.Context, ref payment.Ref, _ idempotency.Held, last idempotency.Snapshot, keep time.Duration) error {
	port := s.Store.(claimsPort)
	return port.do("complete", ref, func() {
		r := port.p.w.claims.records[ref]
		r.free, r.doneBy, r.last = true, r.held, last
		port.p.w.claims.records[ref] = r
	})
}

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
