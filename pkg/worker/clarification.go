package worker

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/tracing"
)

const (
	// clarifyFor is how long an answer to the provider's question is worth sending. ECommPay, the only
	// provider that asks, waits 30 minutes and then declines (en_Gate_Clarification).
	clarifyFor = 30 * time.Minute
	// clarifyPauseMin and clarifyPauseMax bound the pause between two tries of an answer.
	clarifyPauseMin, clarifyPauseMax = 500 * time.Millisecond, time.Minute
)

// clarification gives a provider the values that it asked for. It needs no claim, because it can start no
// payment: the same values sent twice, by whomever, leave one payment. For the same reason a request
// whose result is not known is simply sent again, once for each delivery.
func (w *Worker) clarification(ctx context.Context, m events.Message) queue.Verdict {
	c, err := events.DecodeClarification(m)
	var bad *events.CommandError
	switch {
	case errors.As(err, &bad): // its payment stays as it is
		return queue.DeadLetter(bad.Reason, bad.Error())
	case err != nil:
		return queue.DeadLetter(events.DeadUndecodable, err.Error())
	}
	conn, known := w.Connectors.Get(c.Provider)
	if !known {
		return queue.DeadLetter(events.DeadUnknownProvider, "provider: not configured")
	}
	clarifier, able := conn.(connectors.Clarifier)
	if !able {
		return queue.DeadLetter(events.DeadInvalid, "provider: does not accept clarifications")
	}
	j := &job{ref: c.Ref, conn: conn, started: w.Local()}
	err = w.reload(ctx, j)
	if isUnreadable(err) { // whether it waits for an answer is not known
		if w.Now().Sub(first(m, c)) > clarifyFor {
			return queue.DeadLetter(events.DeadTooOld, "the payment's last event cannot be read, and the provider does not wait that long for an answer")
		}
		return queue.RetryAfter(clarifyPause(m))
	}
	if err == nil {
		err = w.readActions(ctx, j)
	}
	if err != nil && !errors.Is(err, events.ErrNoPayment) {
		return w.retry(ctx, c.Ref, "cannot read the provider's question from the log", err)
	}
	if !j.payment.TakenFor(c.Upstream) {
		return foreignOrder()
	}
	if verdict, wanted := w.wanted(m, c, j.payment); !wanted {
		return verdict
	}
	if ctx.Err() != nil { // stopping: leave it to another worker
		return queue.RetryAfter(0)
	}
	return w.clarify(ctx, m, c, j, clarifier)
}

// wanted reports whether the provider waits for these values. p is the zero payment when the log has none.
func (w *Worker) wanted(m events.Message, c events.Clarification, p payment.Payment) (queue.Verdict, bool) {
	question, asks := p.Clarification()
	switch {
	case p.Status.Ended():
		return queue.Acknowledge(), false
	case w.Now().Sub(first(m, c)) > clarifyFor:
		return queue.DeadLetter(events.DeadTooOld, "the provider does not wait that long for an answer"), false
	case p.Revision < c.Revision: // a replica of the log that lags behind what the upstream saw
		return queue.RetryAfter(clarifyPause(m)), false
	case !asks && m.Deliveries > 1: // an earlier delivery was taken, and its acknowledgement was lost
		return queue.Acknowledge(), false
	case !asks:
		return queue.DeadLetter(events.DeadInvalid, "the provider is not waiting for an answer"), false
	}
	if err := question.Check(c.Fields); err != nil {
		return queue.DeadLetter(events.DeadInvalid, err.Error()), false
	}
	return queue.Verdict{}, true
}

// first is when an answer was given: the upstream's clock must not make it younger than it is.
func first(m events.Message, c events.Clarification) time.Time {
	if m.StoredAt.Before(c.RequestedAt) {
		return m.StoredAt
	}
	return c.RequestedAt
}

// clarify sends the values once and writes that the provider has them.
func (w *Worker) clarify(ctx context.Context, m events.Message, c events.Clarification, j *job, clarifier connectors.Clarifier) queue.Verdict {
	callCtx, cancel := w.bounded(ctx)
	defer cancel()
	began, done := w.Local(), j.payment.Action
	callCtx, span := tracing.StartCall(callCtx, "clarify", j.ref, j.payment.Attempts)
	observation, err := clarifier.Clarify(callCtx, connectors.Query{
		Ref: j.ref, Operation: j.payment.Operation, Reference: j.payment.ProviderReference, Amount: j.payment.Amount,
	}, c.Fields)
	span.End(err)
	w.metrics.called(ctx, j, "clarify", w.Local().Sub(began), err)
	if err != nil {
		return w.notClarified(ctx, m, j, connectors.Classify(err))
	}
	observation.Source, observation.Attempt = payment.FromSubmit, j.payment.Attempts
	if observation.Kind == payment.Accepted {
		observation.ActionDone = done
	}
	if err := w.observe(ctx, j, observation, w.Now()); err != nil {
		return w.retry(ctx, j.ref, "cannot record the provider's answer to a clarification; will retry", err)
	}
	return queue.Acknowledge()
}

// notClarified says what to do with values that the provider did not take, or perhaps did not take. What
// it says of the values it says of nothing else: the payment stays as it is.
func (w *Worker) notClarified(ctx context.Context, m events.Message, j *job, failed *connectors.Error) queue.Verdict {
	w.Logger.WarnContext(ctx, "the provider did not accept a clarification", "provider", j.ref.Provider, "order", j.ref.Order,
		"class", failed.Class.String(), "code", failed.Code, "provider_code", failed.ProviderCode, "evidence", failed.Evidence)
	if failed.Class == connectors.Rejected || failed.Class == connectors.NotSent && failed.Code == payment.ReasonInvalid {
		return queue.DeadLetter(events.DeadInvalid, "the provider does not accept these values: "+failed.Code+" "+failed.ProviderCode)
	}
	return queue.RetryAfter(max(failed.RetryAfter, clarifyPause(m)))
}

// clarifyPause doubles with every delivery.
func clarifyPause(m events.Message) time.Duration {
	return doubled(clarifyPauseMin, clarifyPauseMax, m.Deliveries)
}
