package worker

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// decide writes a decision of our own, made on the payment as the job knows it. It never follows a
// payment that others moved: what they wrote can be another command's, or another worker's request.
func (w *Worker) decide(ctx context.Context, j *job, decision payment.Observation) error {
	next, _, err := payment.Decide(j.payment, decision, w.Now())
	if err != nil {
		return err
	}
	return w.append(ctx, j, next)
}

func refusal(code, message string) payment.Observation {
	return payment.Observation{
		Kind: payment.Refuse, Source: payment.FromWorker, Reason: &payment.Reason{Code: code, Message: message},
	}
}

// interruption says that it is not known what became of an intent.
func interruption() payment.Observation {
	return payment.Observation{Kind: payment.Indeterminate, Source: payment.FromWorker, Reason: &payment.Reason{Code: payment.ReasonInterrupted}}
}

// overdue tells a person; a nil reason is that the payment is open for too long.
func overdue(why *payment.Reason) payment.Observation {
	return payment.Observation{Kind: payment.Overdue, Source: payment.FromWorker, Reason: why}
}

// observe applies an observation to the payment and writes the result, following the payment if others
// moved it. A process that stops still writes what it has learned. at is when the provider was asked:
// an "unknown" that waited for its append must not count against an attempt made since.
func (w *Worker) observe(ctx context.Context, j *job, observation payment.Observation, at time.Time) error {
	traits := j.conn.Traits()
	observation.Settling, observation.OneReference = max(observation.Settling, traits.SettlingDelay), traits.OneReference
	for range maxMoves {
		if observation.Action != nil { // to see whether the customer is asked for something else now
			if err := w.readActions(ctx, j); err != nil {
				return err
			}
		}
		observation.PageGrace = w.pageGrace(j.payment, traits)
		next, changed, err := payment.Decide(j.payment, observation, at)
		if err != nil || !changed {
			w.noteLateReport(ctx, j.payment, observation)
			return err
		}
		err = w.append(ctx, j, next)
		if errors.Is(err, events.ErrStale) {
			err = w.reload(ctx, j)
		}
		if err != nil {
			return err
		}
	}
	return events.ErrStale
}

// pageGrace is what an observation says of a payment's page, see [payment.Observation].
func (w *Worker) pageGrace(p payment.Payment, traits connectors.Traits) time.Duration {
	over, ever := w.pageOver(p, traits)
	if !ever || !p.AwaitsPage() {
		return 0
	}
	return over.Sub(p.PageClosesAt)
}

// pageOver is from when on the provider would know a payment that was confirmed on its customer's page in the
// last moment: the time that it may need for that counts while it is open. ever is false where that time is not known.
func (w *Worker) pageOver(p payment.Payment, traits connectors.Traits) (over time.Time, ever bool) {
	if traits.PageGrace <= 0 {
		return time.Time{}, false
	}
	return w.Opening(p.Provider, p.Operation).Hours.AddOpen(p.PageClosesAt, traits.PageGrace)
}

// completeReversal writes the second event of a reversal that showed that the payment had settled, where the first is the
// payment's last event: who wrote it got no further. The answer of a look-up is not kept anywhere else, and an outcome is
// not looked up again, so the money that went back would never be reported.
func (w *Worker) completeReversal(ctx context.Context, j *job) error {
	if !j.payment.ReversalPending() {
		return nil
	}
	said := payment.Reason{Code: payment.ReasonReversed, ProviderCode: j.payment.Reason.ProviderCode}
	return w.observe(ctx, j, payment.Observation{Kind: payment.Reversal, Reason: &said}, w.Now())
}

// append writes the next event of the payment.
func (w *Worker) append(ctx context.Context, j *job, next payment.Payment) error {
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	seq, err := w.Log.Append(ctx, next, j.seq)
	if err != nil {
		return err
	}
	from := j.payment.Status
	j.payment, j.seq = next, seq
	w.announce(ctx, from, next)
	return nil
}

// reload reads the payment from the log.
func (w *Worker) reload(ctx context.Context, j *job) error {
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	current, seq, err := w.Log.Last(ctx, j.ref)
	if err != nil {
		return err
	}
	j.payment, j.seq = current, seq
	return nil
}

// readActions reads the content of what the customer must do.
func (w *Worker) readActions(ctx context.Context, j *job) error {
	if !j.payment.Action.Missing() && !j.payment.WithheldAction.Missing() {
		return nil
	}
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	p, err := w.Log.Actions(ctx, j.payment)
	if err == nil {
		j.payment = p
	}
	return err
}

// unreadablePause is how long the broker holds a message whose payment has a last event that cannot be read. A person who
// steps over that event (payctl log skip) releases the payment's command at once.
const unreadablePause = 30 * time.Second

func isUnreadable(err error) bool {
	_, is := events.Unreadable(err)
	return is
}

// parkUnreadable is the verdict of a message whose payment cannot be read from the log: the broker holds it, nothing is
// written and nothing is called, because what the event says can be anything. The log has said it to a person.
func (w *Worker) parkUnreadable() queue.Verdict {
	return queue.ParkUntil(w.Now().Add(unreadablePause))
}

// retry is the verdict of a message whose payment cannot be read or written now.
func (w *Worker) retry(ctx context.Context, ref payment.Ref, message string, err error) queue.Verdict {
	w.Logger.WarnContext(ctx, message, "provider", ref.Provider, "order", ref.Order, "error", err)
	return queue.RetryAfter(pauseAfterError)
}
