package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

const (
	// heldFor and heldTries bound how long a webhook whose order is not known is held by the consumer, for a
	// command that is just on its way. Later the broker holds it, because what a consumer holds counts
	// against its limit, and too many of another system's webhooks would stop ours.
	heldFor, heldTries = 5 * time.Second, 8
	// waitMin is the shortest time for which the broker holds a webhook; later it is half the webhook's age.
	waitMin = 5 * time.Second
	// secretsFor is how long a webhook waits for the secret that it was signed with: the ingress that let it
	// in may have read a new one before this worker. It is many times the default interval of such looks.
	secretsFor = 10 * time.Minute
)

// Webhook processes one webhook from the stream, see "The way of a webhook" in docs/architecture.md. It verifies the
// signature again, because a process that can write to the stream could have forged it.
func (w *Worker) Webhook(ctx context.Context, m events.Message) queue.Verdict {
	verdict := w.webhook(ctx, m)
	if verdict.Kind == queue.Dead { // each was signed by a provider, or is a hole in our own walls
		ref, _ := events.SubjectRef(m.Subject)
		w.metrics.webhookDeadLettered(ctx, ref.Provider, verdict.Reason)
		w.Logger.ErrorContext(ctx, "webhook dead-lettered", "provider", ref.Provider, "order", ref.Order,
			"reason", string(verdict.Reason), "detail", verdict.Detail, "next", operator.NextOfDeadLetter(verdict.Reason))
	}
	return verdict
}

func (w *Worker) webhook(ctx context.Context, m events.Message) queue.Verdict {
	call, err := events.DecodeWebhook(m)
	if err != nil {
		return queue.DeadLetter(events.DeadBadWebhook, err.Error())
	}
	conn, known := w.Connectors.Get(call.Provider)
	if !known {
		return queue.DeadLetter(events.DeadUnknownProvider, "provider: not configured")
	}
	receiver, able := conn.(connectors.Webhooks)
	if !able {
		return queue.DeadLetter(events.DeadBadWebhook, "this provider sends no webhooks")
	}
	notice, err := receiver.Webhook(call.Header, call.Body, call.ReceivedAt)
	if err != nil {
		return w.unverified(call, err)
	}
	if notice.Order != call.Order {
		return queue.DeadLetter(events.DeadBadWebhook, "the subject names another order than the body")
	}
	return w.takeIn(ctx, m, call, conn, notice)
}

// unverified dead-letters a webhook that its connector refuses. One with a signature that does not fit is held by the
// broker for a while first: it may be made with a secret that the ingress has read and this worker has not yet.
func (w *Worker) unverified(call events.Webhook, err error) queue.Verdict {
	now := w.Now()
	age := now.Sub(call.ReceivedAt).Abs() // the ingress's clock may be ahead of ours
	var refused *connectors.WebhookError
	if errors.As(err, &refused) && refused.Refusal == connectors.BadSignature && age < secretsFor {
		return queue.ParkUntil(now.Add(max(age/2, waitMin)))
	}
	return queue.DeadLetter(events.DeadBadWebhook, err.Error())
}

// takeIn applies a notice to its payment.
func (w *Worker) takeIn(ctx context.Context, m events.Message, call events.Webhook, conn connectors.Connector, notice connectors.Notice) queue.Verdict {
	j := &job{ref: call.Ref, conn: conn, started: w.Local()}
	err := w.reload(ctx, j)
	switch {
	case errors.Is(err, events.ErrNoPayment):
		return w.awaitCommand(m, call)
	case isUnreadable(err):
		return w.parkUnreadable()
	}
	before, observation := j.seq, notice.Observation
	if err == nil {
		err = w.completeReversal(ctx, j)
	}
	if err == nil {
		observation = saidOf(j.payment, notice)
		if j.payment.Overfull(observation) {
			return queue.DeadLetter(events.DeadUnexplained, unexplained(j.payment, observation))
		}
		err = w.observe(ctx, j, observation, w.Now())
	}
	w.metrics.processed(ctx, call.Provider, observation.Kind, err)
	switch {
	case errors.Is(err, payment.ErrForbidden): // no provider's webhook has such a meaning: it would come again for ever
		return queue.DeadLetter(events.DeadBadWebhook, "cannot be applied to a payment")
	case isUnreadable(err):
		return w.parkUnreadable()
	case err != nil:
		return w.retry(ctx, call.Ref, "cannot process the webhook; will retry", err)
	case afterAll(j.payment, observation) && !j.payment.Annotated(observation):
		return queue.DeadLetter(events.DeadUnexplained, unexplained(j.payment, observation))
	}
	return w.followUp(ctx, j, before)
}

// awaitCommand keeps a webhook whose order is not known yet: the command may still be on its way.
func (w *Worker) awaitCommand(m events.Message, call events.Webhook) queue.Verdict {
	now := w.Now()
	age := now.Sub(call.ReceivedAt)
	switch {
	case age > w.Timing.UnknownOrderFor:
		return queue.DeadLetter(events.DeadUnknownOrder, "no command arrived for this order")
	case age >= heldFor || m.Deliveries > heldTries:
		return queue.ParkUntil(now.Add(max(age/2, waitMin)))
	}
	return queue.RetryAfter(doubled(busyMin, busyMax, m.Deliveries))
}

// saidOf is what a notice says of its payment.
func saidOf(p payment.Payment, notice connectors.Notice) payment.Observation {
	if notice.In != nil {
		notice.Observation = notice.In(p.Amount.Currency)
	}
	if notice.Operation != "" && notice.Operation != p.Operation {
		notice.Observation = otherOperation(notice)
	}
	notice.Observation.Source = payment.FromWebhook
	return notice.Observation
}

// otherOperation is what a webhook says that reports a deposit where the order is a payout, or the other way round.
// An account has one order number for both, so it is about this payment; it may have fields too few to be told
// apart, or the provider has made something else of the order.
func otherOperation(n connectors.Notice) payment.Observation {
	why := payment.Reason{Code: payment.ReasonIndeterminate, Message: fmt.Sprintf("%s, said of a %s", n.Observation.Kind, n.Operation)}
	if r := n.Observation.Reason; r != nil {
		why.ProviderCode = r.ProviderCode
		if r.Message != "" {
			why.Message += ": " + r.Message
		}
	}
	return payment.Observation{Kind: payment.Indeterminate, Known: true, Reason: &why}
}

// afterAll reports whether a webhook says something of a payment that has its outcome which the outcome does not
// explain: it cannot be mapped, or the provider goes on with a payment that failed without its word.
func afterAll(p payment.Payment, o payment.Observation) bool {
	return p.Status.Ended() && o.Kind == payment.Indeterminate || p.FailedUnsaid() && o.Kind == payment.Accepted
}

// followUp explains what a webhook said once that is written. before is the sequence of the payment's event when it came.
func (w *Worker) followUp(ctx context.Context, j *job, before uint64) queue.Verdict {
	verdict, err := w.explain(ctx, j, before)
	switch {
	case isUnreadable(err):
		return w.parkUnreadable()
	case err != nil:
		return w.retry(ctx, j.ref, "cannot follow up on an unrecognised webhook; will retry", err)
	}
	return verdict
}

// explain follows up on a webhook about an open payment. If it cannot be mapped, the provider is asked at once, or
// when it opens, and a person is told if its answer does not end the payment. The verdict asks for the webhook
// again while that is not done, after half the time for which the provider could be asked. A doubt that calls a person
// by itself is an alarm already; the provider is asked once, so that the person has what it says when it is asked.
func (w *Worker) explain(ctx context.Context, j *job, before uint64) (queue.Verdict, error) {
	if !open(j.payment) {
		return queue.Acknowledge(), nil
	}
	if !j.payment.Unexplained() && (j.seq == before || !j.payment.CallsPerson()) { // news from the provider itself
		return queue.Acknowledge(), w.tell(ctx, j, true)
	}
	if opens, shut := w.closedUntil(j.ref.Provider, j.payment.Operation); shut {
		return queue.ParkUntil(opens.Add(jitter(j.ref, w.Timing.ResumeSpread))), nil
	}
	a := w.awaitPermit(ctx, j)
	if a.permit == nil && a.block.again.IsZero() { // the process stops
		return queue.RetryAfter(pauseAfterError), nil
	}
	again, answered, said := a.block.again, false, j.payment.UpdatedAt
	if n := len(j.payment.Annotations); n > 0 {
		said = j.payment.Annotations[n-1].At
	}
	if a.permit != nil {
		var observation payment.Observation
		var asked time.Time
		observation, asked, answered = w.ask(ctx, j, a.permit)
		if answered {
			if err := w.observe(ctx, j, observation, asked); err != nil {
				return queue.Verdict{}, err
			}
		}
		again = w.Now().Add(max(w.openTime(j.payment, said)/2, waitMin))
	}
	if err := w.tell(ctx, j, answered); err != nil {
		return queue.Verdict{}, err
	}
	if !answered && j.payment.Unexplained() {
		return queue.ParkUntil(again), nil
	}
	return queue.Acknowledge(), nil
}
