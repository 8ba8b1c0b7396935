package simulation

import (
	"context"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

// rewriting changes what is appended. Its before is the payment as it is now.
func rewriting(name string, change func(w *world, before, p payment.Payment) payment.Payment) Mutant {
	return Mutant{Name: name, log: func(w *world, l worker.Log) worker.Log { return changedLog{l, w, change} }}
}

type changedLog struct {
	worker.Log
	w      *world
	change func(w *world, before, p payment.Payment) payment.Payment
}

func (l changedLog) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	return l.Log.Append(ctx, l.change(l.w, l.w.log.at(p.Ref, after), p), after)
}

// silentLog takes what alerts a person for written.
type silentLog struct {
	worker.Log
	w    *world
	code string
}

func (l silentLog) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	if code(p) == l.code && tells(l.w.log.at(p.Ref, after), p) {
		return after, nil
	}
	return l.Log.Append(ctx, p, after)
}

// evidenceMutants mistake what the provider says and its connector cannot map.
func evidenceMutants() []Mutant {
	silent := func(name, code string) Mutant {
		return Mutant{Name: name, log: func(w *world, l worker.Log) worker.Log { return silentLog{l, w, code} }}
	}
	forgets := func(name string, source payment.Source) Mutant {
		return rewriting(name, func(_ *world, before, p payment.Payment) payment.Payment {
			if n := len(p.Annotations); n > len(before.Annotations) && p.Annotations[n-1].Source == source {
				p.Annotations = before.Annotations
			}
			return p
		})
	}
	return []Mutant{
		forgets("acknowledge an unreadable webhook without a trace", payment.FromWebhook),
		forgets("leave no trace of an unreadable look-up", payment.FromLookup),
		{Name: "tell of an unreadable webhook without a look-up", connector: func(_ *world, c providerPort) connectors.Connector { return lazyConnector{c} }},
		rewriting("tell of the time and not of what cannot be read", func(_ *world, before, p payment.Payment) payment.Payment {
			if tells(before, p) && code(p) == payment.ReasonUnexplained {
				p.Reason = &payment.Reason{Code: payment.ReasonOverdue}
			}
			return p
		}),
		silent("tell nobody of an unreadable statement", payment.ReasonUnexplained),
		silent("tell nobody of the submit limit", payment.ReasonSubmitLimit),
		{Name: "compare an alarm and a statement by their clocks", log: func(w *world, l worker.Log) worker.Log { return clockLog{l, w} }},
		{Name: "drop an unreadable webhook after the outcome", verdict: func(_ *message, v queue.Verdict) queue.Verdict {
			if v.Kind == queue.Dead && v.Reason == events.DeadUnexplained {
				return queue.Acknowledge()
			}
			return v
		}},
	}
}

// lazyConnector answers what a webhook asks by itself.
type lazyConnector struct{ providerPort }

func (c lazyConnector) Lookup(ctx context.Context, q connectors.Query) (payment.Observation, error) {
	if t := c.p.w.current; t != nil && t.m.stream == events.StreamWebhooks {
		return payment.Observation{Kind: payment.Unknown}, nil
	}
	return c.providerPort.Lookup(ctx, q)
}

// clockLog writes the time of an unreadable statement as its worker's clock said, as the engine once did.
type clockLog struct {
	worker.Log
	w *world
}

func (l clockLog) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	if n := len(p.Annotations); n > len(l.w.log.at(p.Ref, after).Annotations) {
		all := append([]payment.Annotation(nil), p.Annotations...)
		all[n-1].At = p.UpdatedAt
		p.Annotations = all
	}
	return l.Log.Append(ctx, p, after)
}
