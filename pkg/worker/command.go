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

// Command executes one command, see "The way of a command" in docs/architecture.md. When ctx ends, because the process
// stops, it finishes what it has begun, within the lease, and begins nothing new. A clarification arrives the same way
// and pays nothing.
func (w *Worker) Command(ctx context.Context, m events.Message) queue.Verdict {
	if events.IsClarification(m.Subject) {
		return w.clarification(ctx, m)
	}
	cmd, err := w.DecodeCommand(m)
	if err != nil {
		return w.refuseUndecodable(ctx, err)
	}
	// A subject that names no payment can carry any order, also one that no log and no claim can hold.
	if err := cmd.Ref.Validate(); err != nil {
		return queue.Refuse(events.DeadInvalid, payment.ProblemsOf(err))
	}
	conn, known := w.Connectors.Get(cmd.Provider)
	if !known {
		return w.refuse(ctx, w.NewPayment(cmd), queue.DeadLetter(events.DeadUnknownProvider, "provider: not configured"))
	}
	if reason, detail := w.untimely(cmd, m); reason != "" {
		if verdict, known := w.refuseUntimely(ctx, cmd, reason, detail); !known {
			return verdict
		}
	}
	j := &job{ref: cmd.Ref, cmd: cmd, conn: conn, payment: w.NewPayment(cmd), started: w.Local()}
	j.meaning = j.payment.Fingerprint
	if verdict, held := w.claim(ctx, j); !held {
		return verdict
	}
	defer w.release(ctx, j)
	w.OnStep(StepClaimed, j.ref)
	verdict := w.advance(ctx, j)
	w.release(ctx, j)
	w.OnStep(StepFinished, j.ref)
	return verdict
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
		switch {
		case isUnreadable(err):
			return w.parkUnreadable()
		case err != nil:
			w.Logger.WarnContext(ctx, "cannot record the payment's next status; will retry", "provider", j.ref.Provider, "order", j.ref.Order, "status", j.payment.Status, "error", err)
			return queue.RetryAfter(pauseAfterError)
		case finished:
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
		return queue.DeadLetter(events.DeadOrderReused, "order: another command was accepted under this order number"), true, nil
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
		verdict := queue.Refuse(events.DeadInvalid, payment.ProblemsOf(err))
		return verdict, true, w.decide(ctx, j, refusal(payment.ReasonInvalid, verdict.Detail))
	}
	if decision, shut := w.closed(j.cmd, now); shut && decision.Kind == payment.Park {
		return queue.ParkUntil(decision.ResumeAt), true, w.decide(ctx, j, decision)
	} else if shut {
		return queue.Acknowledge(), true, w.decide(ctx, j, decision)
	}
	if ctx.Err() != nil { // stopping: leave it to another worker
		return queue.RetryAfter(0), true, nil
	}
	a := w.admitSubmit(ctx, j)
	switch {
	case a.permit != nil:
		return queue.Verdict{}, false, w.submit(ctx, j, a.permit)
	case a.block.code != "":
		return w.putOff(ctx, j, a.block)
	}
	return queue.Verdict{}, false, a.err
}

// putOff parks a payment of which nothing was sent and for which no request may be made now, or refuses it, as configured.
func (w *Worker) putOff(ctx context.Context, j *job, block blockReason) (queue.Verdict, bool, error) {
	if block.code != payment.ReasonRateLimited && w.GiveUpPolicy(j.ref.Provider, j.cmd.Operation).Down == RejectDown {
		return queue.Acknowledge(), true, w.decide(ctx, j, refusal(block.code, "the provider is not available"))
	}
	at, news := w.putOffUntil(j, block)
	if !news {
		return queue.ParkUntil(at), true, nil
	}
	return queue.ParkUntil(at), true, w.decide(ctx, j, payment.Observation{
		Kind: payment.Park, Source: payment.FromWorker, ResumeAt: at, Reason: &payment.Reason{Code: block.code},
	})
}

// putOffUntil says when a payment is tried again, spread a bit, and whether that is worth an event. Put off again for
// the same reason it waits twice as long as before, each time with an event, until the pause has reached ParkMax. From
// then on it comes back every ParkMax and writes nothing: its resume_at has passed, and nothing else is new. So 50,000
// payments that wait for an hour write a few events each.
func (w *Worker) putOffUntil(j *job, block blockReason) (at time.Time, news bool) {
	p, now := j.payment, w.Now()
	pause, news := max(block.again.Sub(now), time.Second), true
	if p.Status == payment.Parked && p.Reason != nil && p.Reason.Code == block.code {
		last := p.ResumeAt.Sub(p.UpdatedAt)
		pause, news = max(pause, min(2*last, w.Timing.ParkMax)), last < w.Timing.ParkMax
	}
	return w.inTime(j.cmd, now.Add(pause+jitter(j.ref, pause/2))), news
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
	a := w.admit(ctx, j)
	switch {
	case a.permit != nil:
		j.looked = true
		return queue.Verdict{}, false, w.lookUp(ctx, j, a.permit)
	case a.block.code != "":
		return queue.ParkUntil(a.block.again.Add(jitter(j.ref, a.block.again.Sub(w.Now())/2))), true, nil
	}
	return queue.Verdict{}, false, a.err
}

// mayIntend reports whether the provider has said, twice and late enough, that it does not know the order,
// the last time just now: after a night in which it was closed it is asked once more.
func (w *Worker) mayIntend(j *job) bool {
	now := w.Now()
	_, _, err := payment.Decide(j.payment, payment.Observation{Kind: payment.Intend}, now)
	return err == nil && now.Sub(j.payment.NotFoundAt) <= w.Timing.Lease
}

// lookLater parks a payment until it can be asked about. When that is after a night or a weekend, what was
// interrupted does not stay submitting until then: it is in doubt, with its reason.
func (w *Worker) lookLater(ctx context.Context, j *job, at time.Time) (queue.Verdict, bool, error) {
	now := w.Now()
	if j.payment.Status == payment.InDoubt || at.Sub(now) <= w.Timing.LookupMax {
		return queue.ParkUntil(at), true, nil
	}
	return queue.Verdict{}, false, w.observe(ctx, j, interruption(), now)
}
