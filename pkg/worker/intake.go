package worker

import (
	"context"
	"errors"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// Intake sends on what upstreams published by NATS: a command on a short subject, or a command or a clarification out of
// an upstream's own stream, and what an ingress published that has a stream of its own. Commands are read first, so that a
// message never reaches a subject that its body does not name; a clarification is read by who takes it, and changes no
// payment.
func (w *Worker) Intake(ctx context.Context, m events.Message) queue.Verdict {
	switch {
	case events.IsProbe(m.Subject):
		return queue.Acknowledge()
	case events.IsWebhook(m.Subject): // it is verified by who takes it
		return queue.ForwardTo(m.Subject)
	case events.IsClarification(m.Subject):
		return w.intakeClarification(ctx, m)
	}
	cmd, err := w.DecodeCommand(m)
	if err != nil {
		return w.refuseUndecodable(ctx, err)
	}
	if err := cmd.Ref.Validate(); err != nil {
		return queue.Refuse(events.DeadInvalid, payment.ProblemsOf(err))
	}
	if verdict, reserved := w.reservedPrefix(ctx, cmd); reserved {
		return verdict
	}
	return queue.ForwardTo(events.CommandSubject(cmd.Operation, cmd.Ref))
}

// intakeClarification sends a clarification on, unless the payment is another upstream's: while it waited in the queue, the
// payment's own upstream could not answer.
func (w *Worker) intakeClarification(ctx context.Context, m events.Message) queue.Verdict {
	ref, ok := events.SubjectRef(m.Subject)
	if !ok {
		return queue.DeadLetter(events.DeadMismatch, "the subject names no valid provider and order")
	}
	p, _, err := w.Log.Last(ctx, ref)
	switch {
	case err != nil && !errors.Is(err, events.ErrNoPayment):
		return queue.RetryAfter(pauseAfterError)
	case err == nil && !p.TakenFor(m.Header.Get(events.HeaderUpstream)):
		return foreignOrder()
	}
	return queue.ForwardTo(m.Subject)
}

// reservedPrefix reports whether a command has an order number that its upstream may not use. It writes no event, which would
// take the number. A number that the log knows is sent on: whose it is decides who works on it.
func (w *Worker) reservedPrefix(ctx context.Context, cmd payment.Command) (queue.Verdict, bool) {
	wrong := w.OrderPrefixes.Check(cmd.Upstream, cmd.Order)
	if wrong == nil || cmd.Upstream == "" {
		return queue.Verdict{}, false
	}
	_, _, err := w.Log.Last(ctx, cmd.Ref)
	switch {
	case err == nil:
		return queue.Verdict{}, false
	case errors.Is(err, events.ErrNoPayment):
		return queue.Refuse(events.DeadInvalid, payment.ProblemsOf(wrong)), true
	}
	return queue.RetryAfter(pauseAfterError), true
}
