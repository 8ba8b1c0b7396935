package worker

import (
	"context"
	"fmt"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/tracing"
)

// open reports whether the provider may still end a payment.
func open(p payment.Payment) bool {
	return p.Status == payment.Submitting || p.Status == payment.InDoubt || p.Status == payment.Pending
}

// awaitPermit waits until the provider may be called. Without a permit it is the block that says when to try again: at
// once when the process stops.
func (w *Worker) awaitPermit(ctx context.Context, j *job) admission {
	for ctx.Err() == nil {
		if a := w.admit(ctx, j); a.permit != nil || a.block.code != "" || a.err != nil {
			return a
		}
	}
	return admission{}
}

// lookUp asks the provider about the order and writes what it said. An answer that could not be had
// says nothing about the payment, but one that was interrupted is then seen to be in doubt. That the order is
// still not known is no news once a person was told that it is not sent again. A person is told of a payment that
// needs one.
func (w *Worker) lookUp(ctx context.Context, j *job, permit permit) error {
	observation, asked, answered := w.ask(ctx, j, permit)
	if !knownUnknown(j.payment, observation) || !toldLimit(j.payment) || j.cmd.Expired(w.Now()) {
		if err := w.observe(ctx, j, observation, asked); err != nil {
			return err
		}
	}
	return w.tell(ctx, j, answered)
}

// ask looks an order up at the provider. asked is when, answered whether anything was learned.
func (w *Worker) ask(ctx context.Context, j *job, permit permit) (observation payment.Observation, asked time.Time, answered bool) {
	called, err := false, error(nil)
	defer func() { permit.Done(called, err) }()
	callCtx, cancel := w.bounded(ctx)
	defer cancel()
	callCtx, span := tracing.StartCall(callCtx, "lookup", j.ref, j.payment.Attempts)
	asked = w.Now()
	observation, err = j.conn.Lookup(callCtx, connectors.Query{
		Ref: j.ref, Operation: j.payment.Operation, Reference: j.payment.ProviderReference, Amount: j.payment.Amount,
	})
	called = true
	span.End(err)
	w.metrics.called(ctx, j, "lookup", w.Now().Sub(asked), err)
	if err != nil {
		failed := connectors.Classify(err) // its text stays out: it may repeat a name that is not known here
		w.Logger.WarnContext(ctx, "call to the provider failed", "provider", j.ref.Provider, "order", j.ref.Order,
			"class", failed.Class.String(), "code", failed.Code, "provider_code", failed.ProviderCode, "evidence", failed.Evidence)
		observation = payment.Observation{Kind: payment.Indeterminate, Reason: &payment.Reason{Code: payment.ReasonInterrupted}}
	}
	observation.Source = payment.FromLookup
	return observation, asked, err == nil
}

// knownUnknown reports whether the provider says once more what it said twice. Written down each time, every
// "unknown" would begin the wait of the log's timers again.
func knownUnknown(p payment.Payment, o payment.Observation) bool {
	return o.Kind == payment.Unknown && p.Status == payment.InDoubt && p.NotFound > 1
}

// explainFor is how long an open payment waits for a look-up to explain what its provider said, until a person
// is told all the same. It counts while the provider can be asked.
const explainFor = 5 * time.Minute

// tell makes sure that a person knows of an open payment that needs one: because its provider said something
// that no look-up explains, or because it has been open for longer than its provider needs. It is called after
// the provider spoke or was asked; answered says whether it gave an answer.
func (w *Worker) tell(ctx context.Context, j *job, answered bool) error {
	p := j.payment
	if p.Status != payment.Pending && p.Status != payment.InDoubt {
		return nil
	}
	switch {
	case w.inexplicable(p, answered):
		return w.decide(ctx, j, overdue(whyTold(p)))
	case p.Unexplained():
		return nil
	}
	if limit := w.Threshold(p.Provider); limit > 0 && w.tooLong(j, limit) {
		return w.decide(ctx, j, overdue(nil))
	}
	return nil
}

// inexplicable reports whether no look-up explains what the provider said: one was answered, or none was for long enough.
func (w *Worker) inexplicable(p payment.Payment, answered bool) bool {
	return p.Unexplained() && (answered || w.openTime(p, p.Annotations[len(p.Annotations)-1].At) >= explainFor)
}

// whyTold is why a person is told of an open payment: what its provider said, or nil for the time alone.
func whyTold(p payment.Payment) *payment.Reason {
	if !p.Unexplained() {
		return nil
	}
	a := p.Annotations[len(p.Annotations)-1]
	why := &payment.Reason{Code: payment.ReasonUnexplained, Message: fmt.Sprintf("%s says %s", a.Source, a.Kind)}
	if a.Reason != nil {
		why.ProviderCode = a.Reason.ProviderCode
		if a.Reason.Message != "" {
			why.Message += ": " + a.Reason.Message
		}
	}
	return why
}

// openTime is how much of the time since then the provider was open.
func (w *Worker) openTime(p payment.Payment, since time.Time) time.Duration {
	return w.Opening(p.Provider, p.Operation).Hours.OpenDuration(since, w.Now())
}

// tooLong reports whether a person should be told that a payment is still open.
func (w *Worker) tooLong(j *job, limit time.Duration) bool {
	p := j.payment
	if p.Status != payment.Pending && p.Status != payment.InDoubt {
		return false
	}
	if limit <= 0 {
		return true
	}
	since := later(w.began(j), p.OverdueAt)
	opening := w.Opening(p.Provider, p.Operation)
	if opening.WallThreshold {
		return w.Now().Sub(since) >= limit
	}
	return opening.Hours.OpenDuration(since, w.Now()) >= limit
}

// began is when the time began in which a payment should end. Where the customer has a page, that is when the
// customer may have confirmed it, or else when an answer counts, and after the first one when that came.
func (w *Worker) began(j *job) time.Time {
	p := j.payment
	since := p.OpenSince()
	switch over, ever := w.pageOver(p, j.conn.Traits()); {
	case p.PageClosesAt.IsZero():
		return since
	case p.AwaitsPage() && ever:
		return later(later(since, over), p.NotFoundAt)
	case p.UpdatedAt.Before(p.PageClosesAt): // the provider can go on reporting news, but no customer confirms after the close
		return later(since, p.UpdatedAt)
	}
	return later(since, p.PageClosesAt)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// nextLookup says when to ask the provider again: the longer the doubt, the longer the pause. Where payments
// wait for the opening, only the time in which the provider is open counts.
func (w *Worker) nextLookup(p payment.Payment) time.Time {
	now, hours := w.Now(), calendar.Hours{}
	if opening := w.Opening(p.Provider, p.Operation); opening.Closed != RejectClosed && opening.Closed != SendClosed {
		hours = opening.Hours
	}
	pause := min(max(hours.OpenDuration(p.SubmittedAt, now)/2, w.Timing.LookupMin), w.Timing.LookupMax)
	if at, ever := hours.AddOpen(now, pause); ever {
		return at
	}
	return now.Add(pause)
}
