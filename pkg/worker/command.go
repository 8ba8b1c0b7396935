package worker

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// maxMoves bounds how often one delivery of a message follows a payment that others keep moving.
const maxMoves = 20

// pauseAfterError is how long a message waits whose payment could not be read or written.
const pauseAfterError = 2 * time.Second

// job is the work on one order during one delivery of one message.
type job struct {
	ref     payment.Ref
	cmd     payment.Command // empty for a webhook
	meaning string          // cmd's fingerprint
	conn    connectors.Connector
	payment payment.Payment   // as it was read from the log or written there last; may be older than the log
	seq     uint64            // of that event; 0 when the log is believed to know nothing
	started time.Time         // when the lease began, or will begin at the earliest, by Options.Local
	held    *idempotency.Held // nil when the claim store cannot be asked, and when the claim was given back
	looked  bool              // a look-up was made already
	placed  bool              // a place in the provider's budget was waited for, and is not used yet
	// known says that somebody worked on the order before, so that the log is read first: that costs less than a
	// place in the provider's budget for a payment of which nothing is left to do. It is a hint.
	known bool
}

// Command executes one command, see "The way of a command" in docs/architecture.md. When ctx ends, because the process
// stops, it finishes what it has begun, within the lease, and begins nothing new. A clarification arrives the same way
// and pays nothing.
func (w *Worker) Command(ctx context.Context, m events.Message) queue.Verdict {
	if events.IsClarification(m.Subject) {
		return w.clarification(ctx, m)
	}
	cmd, err := events.DecodeCommand(m)
	if err != nil {
		return w.refuseUndecodable(ctx, err)
	}
	// A subject that names no payment can carry any order, also one that no log and no claim can hold.
	if err := cmd.Ref.Validate(); err != nil {
		return queue.DeadLetter(events.DeadInvalid, err.Error())
	}
	conn, known := w.Connectors.Get(cmd.Provider)
	if !known {
		return w.refuse(ctx, payment.New(cmd), events.DeadUnknownProvider, "provider: not configured")
	}
	if reason, detail := w.untimely(cmd, m); reason != "" {
		if verdict, known := w.forKnown(ctx, cmd, reason, detail); !known {
			return verdict
		}
	}
	j := &job{ref: cmd.Ref, cmd: cmd, conn: conn, payment: payment.New(cmd), started: w.Local()}
	j.meaning = j.payment.Fingerprint
	if verdict, held := w.claim(ctx, j); !held {
		return verdict
	}
	defer w.giveBack(ctx, j)
	w.OnStep(StepClaimed, j.ref)
	verdict := w.advance(ctx, j)
	w.giveBack(ctx, j)
	w.OnStep(StepFinished, j.ref)
	return verdict
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
		return events.DeadTooOld, "requested_at: before all that the log remembers"
	case cmd.Ahead(stored): // it would outlive the log's memory and be paid again
		return events.DeadInvalid, "requested_at: must not be in the future"
	}
	return "", ""
}

// forKnown refuses an untimely command, unless the log knows its order: then the payment goes its way, whatever any clock
// says, because a command that is given up would leave it without an end.
func (w *Worker) forKnown(ctx context.Context, cmd payment.Command, reason events.DeadReason, detail string) (verdict queue.Verdict, known bool) {
	j := &job{ref: cmd.Ref, payment: payment.New(cmd)}
	err := w.reload(ctx, j)
	if errors.Is(err, events.ErrNoPayment) {
		if reason == events.DeadTooOld { // the log may have forgotten it: nothing is written about it
			return queue.DeadLetter(reason, detail), false
		}
		if err = w.decide(ctx, j, refusal(payment.ReasonInvalid, detail)); err == nil {
			return queue.DeadLetter(reason, detail), false
		}
	}
	if verdict, bad := w.unreadable(err); bad {
		return verdict, false
	}
	if err != nil && !errors.Is(err, events.ErrStale) { // stale: a replica of the log did not know it yet
		w.Logger.WarnContext(ctx, "an untimely command cannot be refused now; will retry", "provider", cmd.Provider, "order", cmd.Order, "error", err)
		return queue.RetryAfter(pauseAfterError), false
	}
	return queue.Verdict{}, true
}

// advance moves the payment until there is nothing more to do for this delivery. A payment that was not read from
// the log is taken for a new one: whatever is decided about that is an append, and the log refuses it if it knows
// the order.
func (w *Worker) advance(ctx context.Context, j *job) queue.Verdict {
	for range maxMoves {
		verdict, finished, err := w.step(ctx, j)
		if errors.Is(err, events.ErrStale) { // nothing was decided: read what moved and begin again
			if err = w.reload(ctx, j); err == nil {
				continue
			}
		}
		if verdict, bad := w.unreadable(err); bad {
			return verdict
		}
		if err != nil {
			w.Logger.WarnContext(ctx, "the payment cannot be moved now", "provider", j.ref.Provider, "order", j.ref.Order, "status", j.payment.Status, "error", err)
			return queue.RetryAfter(pauseAfterError)
		}
		if finished {
			return verdict
		}
	}
	return queue.RetryAfter(pauseAfterError)
}

// step does the next thing for a payment in its status. finished says that the verdict counts.
func (w *Worker) step(ctx context.Context, j *job) (verdict queue.Verdict, finished bool, err error) {
	if j.known {
		j.known = false
		if err := w.reload(ctx, j); err != nil && !errors.Is(err, events.ErrNoPayment) {
			return queue.Verdict{}, false, err
		}
	}
	p := j.payment
	if p.Fingerprint != j.meaning || !p.TakenFor(j.cmd.Upstream) {
		return orderReused(), true, nil
	}
	switch p.Status {
	case payment.Requested, payment.Parked:
		return w.begin(ctx, j)
	case payment.Submitting, payment.InDoubt:
		return w.resolve(ctx, j)
	default: // the provider has it, or it has ended
		return queue.Acknowledge(), true, w.completeReversal(ctx, j)
	}
}

// begin sends a payment of which nothing was sent, if it may be sent now.
func (w *Worker) begin(ctx context.Context, j *job) (queue.Verdict, bool, error) {
	now := w.Now()
	if now.Before(j.payment.ResumeAt) {
		return queue.ParkUntil(j.payment.ResumeAt), true, nil
	}
	if decision, late := w.tooLate(j, now); late {
		return queue.Acknowledge(), true, w.decide(ctx, j, decision)
	}
	if err := connectors.Check(j.conn, j.cmd); err != nil {
		return queue.DeadLetter(events.DeadInvalid, err.Error()), true, w.decide(ctx, j, refusal(payment.ReasonInvalid, err.Error()))
	}
	if decision, shut := w.closed(j.cmd, now); shut && decision.Kind == payment.Park {
		return queue.ParkUntil(decision.ResumeAt), true, w.decide(ctx, j, decision)
	} else if shut {
		return queue.Acknowledge(), true, w.decide(ctx, j, decision)
	}
	if ctx.Err() != nil { // stopping: leave it to another worker
		return queue.RetryAfter(0), true, nil
	}
	done, why, err := w.admitSubmit(ctx, j)
	switch {
	case done != nil:
		return queue.Verdict{}, false, w.submit(ctx, j, done)
	case why.code != "":
		return w.hold(ctx, j, why)
	}
	return queue.Verdict{}, false, err
}

// resolve finds out about a payment that may have been sent.
func (w *Worker) resolve(ctx context.Context, j *job) (queue.Verdict, bool, error) {
	if w.mayIntend(j) {
		return w.sendAgain(ctx, j)
	}
	if j.looked || j.spent(w.Local()) > w.Timing.Lease-w.Timing.SubmitTimeout {
		return w.lookLater(ctx, j, w.nextLookup(j.payment))
	}
	// An answer that could lead to nothing before the provider opens is not asked for.
	if decision, shut := w.closed(j.cmd, w.Now()); shut && decision.Kind == payment.Park {
		return w.lookLater(ctx, j, decision.ResumeAt)
	}
	if ctx.Err() != nil { // stopping: let another worker ask
		return queue.RetryAfter(0), true, nil
	}
	done, why, err := w.admit(ctx, j)
	switch {
	case done != nil:
		j.looked = true
		return queue.Verdict{}, false, w.lookUp(ctx, j, done)
	case why.code != "":
		return queue.ParkUntil(why.again.Add(place(j.ref, why.again.Sub(w.Now())/2))), true, nil
	}
	return queue.Verdict{}, false, err
}

// lookLater parks a payment until it can be asked about. When that is after a night or a weekend, what was
// interrupted does not stand as submitting until then: it is in doubt, with its reason.
func (w *Worker) lookLater(ctx context.Context, j *job, at time.Time) (queue.Verdict, bool, error) {
	now := w.Now()
	if j.payment.Status == payment.InDoubt || at.Sub(now) <= w.Timing.LookupMax {
		return queue.ParkUntil(at), true, nil
	}
	return queue.Verdict{}, false, w.observe(ctx, j, interruption(), now)
}

// mayIntend reports whether the provider has said, twice and late enough, that it does not know the order,
// the last time just now: after a night in which it was closed it is asked once more.
func (w *Worker) mayIntend(j *job) bool {
	now := w.Now()
	_, _, err := payment.Decide(j.payment, payment.Observation{Kind: payment.Intend}, now)
	return err == nil && now.Sub(j.payment.NotFoundAt) <= w.Timing.Lease
}

func refusal(code, message string) payment.Observation {
	return payment.Observation{
		Kind: payment.Refuse, Source: payment.FromWorker, Reason: &payment.Reason{Code: code, Message: message},
	}
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

// spent is how long the job has held its lease, by the clock that has moved further: the monotonic
// clock stands still while a machine is suspended, and the wall clock can be set back.
func (j *job) spent(now time.Time) time.Duration { return elapsed(j.started, now) }

// elapsed is the time since from by the clock that has moved further.
func elapsed(from, now time.Time) time.Duration {
	return max(now.Sub(from), now.Round(0).Sub(from.Round(0)))
}
