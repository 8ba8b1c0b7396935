package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// refuseUndecodable dead-letters a message that is no command, and fails its payment if that has a name.
func (w *Worker) refuseUndecodable(ctx context.Context, err error) queue.Verdict {
	var bad *events.CommandError
	if !errors.As(err, &bad) {
		return queue.DeadLetter(events.DeadUndecodable, err.Error())
	}
	verdict := w.refusalOf(bad)
	if bad.Ref.Validate() != nil {
		return verdict
	}
	if bad.Upstream != "" && w.OrderPrefixes.Check(bad.Upstream, bad.Ref.Order) != nil {
		return verdict // an event would take a number that is reserved
	}
	now := w.Now().UTC()
	p := payment.Payment{Ref: bad.Ref, Operation: bad.Operation, Status: payment.Requested, RequestedAt: now, UpdatedAt: now, Upstream: bad.Upstream}
	return w.refuse(ctx, p, verdict)
}

// refusalOf is the verdict of a message that is no command, with all fields that are wrong: also those that could be read and
// that its provider would not take.
func (w *Worker) refusalOf(bad *events.CommandError) queue.Verdict {
	if len(bad.All) == 0 {
		return queue.DeadLetter(bad.Reason, bad.Error())
	}
	problems := bad.All
	if cmd, ok := bad.Partial(); ok {
		if conn, known := w.Connectors.Get(cmd.Provider); known {
			problems = connectors.Problems(conn, cmd, problems)
		} else {
			problems = slices.Clone(problems)
			problems.Add(payment.ProblemsOf(cmd.Validate())...)
		}
	}
	return queue.Refuse(bad.Reason, problems)
}

// untimely says why a command must not be begun for when it was requested; reason is empty when it may. When the broker
// stored the message decides about the future, so that every worker says the same of it. What the log may have
// forgotten is too old by either clock.
func (w *Worker) untimely(cmd payment.Command, m events.Message) (reason events.DeadReason, detail string) {
	now := w.Now()
	stored := m.StoredAt
	if stored.IsZero() {
		stored = now
	}
	switch {
	case cmd.TooOld(later(now, stored), w.Timing.Retention):
		return events.DeadTooOld, "requested_at: before the log's retention"
	case cmd.Ahead(stored): // it would outlive the log's memory and be paid again
		return events.DeadInvalid, "requested_at: must not be in the future"
	}
	return "", ""
}

// refuseUntimely refuses an untimely command, unless the log knows its order: then the payment goes its way, whatever any
// clock says, because a command that is dead-lettered would leave it without an end.
func (w *Worker) refuseUntimely(ctx context.Context, cmd payment.Command, reason events.DeadReason, detail string) (verdict queue.Verdict, known bool) {
	j := &job{ref: cmd.Ref, payment: w.NewPayment(cmd)}
	err := w.reload(ctx, j)
	if errors.Is(err, events.ErrNoPayment) {
		if reason == events.DeadTooOld { // the log may have forgotten it: nothing is written about it
			return queue.DeadLetter(reason, detail), false
		}
		if err = w.decide(ctx, j, refusal(payment.ReasonInvalid, detail)); err == nil {
			return queue.DeadLetter(reason, detail), false
		}
	}
	switch {
	case isUnreadable(err):
		return w.parkUnreadable(), false
	case err != nil && !errors.Is(err, events.ErrStale): // stale: a replica of the log did not know it yet
		return w.retry(ctx, cmd.Ref, "cannot refuse a command with a bad requested_at; will retry", err), false
	}
	return queue.Verdict{}, true
}

// refuse writes that a payment which can be named will not be executed, and dead-letters its message. A payment
// that the log knows already is left as it is.
func (w *Worker) refuse(ctx context.Context, p payment.Payment, verdict queue.Verdict) queue.Verdict {
	j := &job{ref: p.Ref, payment: p, started: w.Local()}
	if err := w.decide(ctx, j, refusal(payment.ReasonInvalid, verdict.Detail)); err != nil && !errors.Is(err, events.ErrStale) {
		return w.retry(ctx, p.Ref, "cannot record the refusal", err)
	}
	return verdict
}

// foreignOrder is the verdict of a message about a payment of another upstream.
func foreignOrder() queue.Verdict {
	return queue.DeadLetter(events.DeadInvalid, "order: belongs to another upstream")
}

// unexplained says what a webhook reported of a payment that has its outcome, or that keeps as much of this kind as it
// can. It changes nothing and may report money, so it is kept as a dead letter, which a person sees.
func unexplained(p payment.Payment, o payment.Observation) string {
	detail := "unrecognised webhook for a payment that is " + string(p.Status)
	switch {
	case o.Kind == payment.Accepted:
		detail = "the provider has a payment that failed without its confirmation"
	case p.TooManyTransfers(o):
		detail = fmt.Sprintf("one more transfer than the %d that a payment keeps", payment.MaxTransfers)
	}
	if o.Reason == nil {
		return detail
	}
	if o.Reason.ProviderCode != "" {
		detail += ", provider code " + o.Reason.ProviderCode
	}
	return detail + ": " + o.Reason.Message
}
