package simulation

import (
	"context"

	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// pageMutants mistake what ends a page that no customer uses.
func pageMutants() []Mutant {
	mistake := func(name string, read func(*world, payment.Payment) (payment.Payment, bool), write func(payment.Payment) payment.Payment) Mutant {
		return Mutant{Name: name, log: func(w *world, l worker.Log) worker.Log { return pageLog{l, w, read, write} }}
	}
	return []Mutant{
		mistake("end a page on time alone", func(w *world, p payment.Payment) (payment.Payment, bool) {
			if !p.AwaitsPage() || w.time().Before(p.PageClosesAt) {
				return p, false
			}
			return abandon(p), true
		}, nil),
		mistake("believe one 'unknown' of a page", nil, func(p payment.Payment) payment.Payment {
			if p.AwaitsPage() && p.NotFound > 0 {
				return abandon(p)
			}
			return p
		}),
		mistake("believe an 'unknown' from before the close", func(_ *world, p payment.Payment) (payment.Payment, bool) {
			if p.AwaitsPage() {
				p.PageClosesAt = p.SubmittedAt.Add(-pageGrace)
			}
			return p, false
		}, nil),
		mistake("forget that the provider spoke", nil, func(p payment.Payment) payment.Payment {
			if p.Status == payment.Pending && !p.PageClosesAt.IsZero() {
				p.Known = false
			}
			return p
		}),
		{Name: "take a link for the provider's word", log: func(w *world, l worker.Log) worker.Log {
			return pageLog{l, w, nil, func(p payment.Payment) payment.Payment {
				p.Known = p.Known || p.AwaitsPage()
				return p
			}}
		}},
	}
}

func abandon(p payment.Payment) payment.Payment {
	p.Status, p.Action, p.Reason = payment.Failed, nil, &payment.Reason{Code: payment.ReasonAbandoned}
	return p
}

// pageLog misreads or miswrites payments whose customers have a page.
type pageLog struct {
	worker.Log
	w     *world
	read  func(w *world, p payment.Payment) (_ payment.Payment, write bool)
	write func(payment.Payment) payment.Payment
}

func (l pageLog) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	p, seq, err := l.Log.Last(ctx, ref)
	if err != nil || l.read == nil {
		return p, seq, err
	}
	next, write := l.read(l.w, p)
	if !write {
		return next, seq, nil
	}
	next.Revision++
	seq, err = l.Log.Append(ctx, next, seq)
	return next, seq, err
}

func (l pageLog) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	if l.write != nil {
		p = l.write(p)
	}
	return l.Log.Append(ctx, p, after)
}
