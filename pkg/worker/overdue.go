package worker

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// Overdue asks the provider about a payment without news since the event m, and writes what it says. It never sends a
// payment: one that the provider does not know stays as it is, unless a command in the queue leads it on, or its
// customer's page closed long ago ([payment.Payment.AwaitsPage]).
//
// A payment that is still open afterwards, and that has been open for limit of the provider's open time, or of any time
// where its threshold says so ([Opening].WallThreshold), since it was sent, since its page was over or since a person was
// told last, becomes overdue: an event, an error in the log and a count, nothing more. limit 0 makes it overdue in any case.
//
// A look-up that gets no answer is repeated: the verdict asks for the message again, and says why. The timer
// ends that when the next look-up is due, or when others wait for theirs.
//
// An event that is not the payment's last one any more is done with: the newer one has its own time.
// While the provider is closed it is not asked; the verdict then asks for the message at the opening. An intent
// without a result does not stay submitting until then: it is in doubt.
func (w *Worker) Overdue(ctx context.Context, m events.Message, limit time.Duration) queue.Verdict {
	ref, named := events.SubjectRef(m.Subject)
	conn, known := w.Connectors.Get(ref.Provider)
	if !named || !known { // no event of a payment that is worked on here
		return queue.Acknowledge()
	}
	j := &job{ref: ref, conn: conn, started: w.Local()}
	err := w.reload(ctx, j)
	switch {
	case errors.Is(err, events.ErrNoPayment), // older than the log's memory
		isUnreadable(err): // the event that a person writes after it has its own time
		return queue.Acknowledge()
	case err != nil:
		return w.retry(ctx, ref, "cannot read an overdue payment from the log; will retry", err)
	case j.seq > m.Sequence || !open(j.payment):
		return w.movedOn(ctx, j)
	case j.seq < m.Sequence: // a replica of the log that lags behind
		return queue.RetryAfter(pauseAfterError)
	}
	if opens, shut := w.closedUntil(ref.Provider, j.payment.Operation); shut {
		return w.closedOverdue(ctx, j, opens)
	}
	a := w.awaitPermit(ctx, j)
	if a.permit == nil {
		return queue.RetryAfter(max(a.block.again.Sub(w.Now()), 0))
	}
	return w.lookUpOpen(ctx, j, limit, a.permit)
}

// movedOn is done with an event that is not the payment's last, or with a payment that is not open. It may be an earlier
// delivery of the same event that moved it, and got no further.
func (w *Worker) movedOn(ctx context.Context, j *job) queue.Verdict {
	if err := w.completeReversal(ctx, j); err != nil {
		return w.retry(ctx, j.ref, "cannot record a reversal; will retry", err)
	}
	return queue.Acknowledge()
}

// closedOverdue puts an open payment off until its provider opens.
func (w *Worker) closedOverdue(ctx context.Context, j *job, opens time.Time) queue.Verdict {
	if j.payment.Status != payment.Submitting {
		return queue.RetryAfter(opens.Sub(w.Now()))
	}
	if err := w.decide(ctx, j, interruption()); err != nil { // also when others moved it
		return w.retry(ctx, j.ref, "cannot record an interrupted submit as in_doubt; will retry", err)
	}
	return queue.Acknowledge()
}

// lookUpOpen asks once and tells a person if that did not end a wait that is too long.
func (w *Worker) lookUpOpen(ctx context.Context, j *job, limit time.Duration, permit permit) queue.Verdict {
	before := j.seq
	observation, asked, answered := w.ask(ctx, j, permit)
	var err error
	if !knownUnknown(j.payment, observation) {
		err = w.observe(ctx, j, observation, asked)
	}
	if err == nil && j.payment.Status == payment.Submitting { // "unknown", too early to be believed
		// No timer but this one reads intents. In doubt it is asked about again.
		err = w.observe(ctx, j, interruption(), w.Now())
	}
	counted := j.payment.AwaitsPage() && j.seq != before // the first answer: its event has timers of its own
	if err == nil && w.inexplicable(j.payment, answered) {
		err = w.tell(ctx, j, answered)
	} else if err == nil && !counted && w.tooLong(j, limit) {
		err = w.decide(ctx, j, overdue(whyTold(j.payment)))
	}
	if err != nil { // also when others moved it: their event then has its own time
		return w.retry(ctx, j.ref, "cannot record the status of an overdue payment; will retry", err)
	}
	if !answered && open(j.payment) && j.seq == before { // else the new event has its own time
		return queue.Unanswered(w.nextLookup(j.payment).Sub(w.Now()))
	}
	if open(j.payment) {
		w.metrics.stillOpen(ctx, j.payment, w.Now().Sub(j.payment.OpenSince()))
	}
	return queue.Acknowledge()
}
