package worker

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

// held is a claim of the job.
type held struct {
	idempotency.Held
	completed bool
}

const (
	// claimPause is how long the worker goes on without the claim store after it failed, so that an
	// outage costs one slow call a second and not one for every message.
	claimPause = time.Second
	// busyMin and busyMax bound how long a message waits whose order another worker holds.
	busyMin, busyMax = 50 * time.Millisecond, 2 * time.Second
)

// claim takes the order for this job. It reports false, with the verdict, when the job must not go on.
func (w *Worker) claim(ctx context.Context, j *job) (events.Verdict, bool) {
	// One that is further away was set before the clock was set back.
	if left := w.claimsDownUntil.Load() - w.Now().UnixNano(); 0 < left && left <= claimPause.Nanoseconds() {
		return w.withoutClaim(ctx, j, nil)
	}
	// Bounded, so that a slow store cannot eat the lease that is being asked for.
	askCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	claim, err := w.Claims.Claim(askCtx, j.ref, idempotency.Request{
		Owner: w.NewID(), Fingerprint: j.meaning, Lease: w.Timing.Lease, Retention: w.Timing.ClaimRetention,
	})
	if err != nil {
		w.claimsDownUntil.Store(w.Now().Add(claimPause).UnixNano())
		return w.withoutClaim(ctx, j, err)
	}
	switch claim.Outcome {
	case idempotency.Won:
		j.held = &held{Held: claim.Held}
		w.metrics.claimsHeld.Add(ctx, 1)
		j.recall(claim.Last)
		return events.Verdict{}, true
	case idempotency.Reused:
		return w.reused(ctx, j, claim.Last)
	default:
		return events.RetryVerdict(min(max(claim.Wait, busyMin), busyMax)), false
	}
}

// reused asks the log whether the order is another command's. The store's fingerprint alone is not
// believed: it is of whoever claimed the order first since the store forgot, and the log may have refused
// that one. Only where the log has forgotten a payment that the store still knows does the store decide.
func (w *Worker) reused(ctx context.Context, j *job, last idempotency.Snapshot) (events.Verdict, bool) {
	err := w.reload(ctx, j)
	switch {
	case err == nil && j.payment.Fingerprint == j.meaning:
		return events.Verdict{}, true
	case err == nil:
		return orderReused(), false
	case errors.Is(err, events.ErrNoPayment):
		j.recall(last)
		if last.Sequence > 0 && j.seq == 0 { // the log knew another command's payment
			return orderReused(), false
		}
		return events.Verdict{}, true // without the claim: the append decides which command is taken
	}
	w.Logger.WarnContext(ctx, "the log cannot be asked whose order this is", "provider", j.ref.Provider, "order", j.ref.Order, "error", err)
	return events.RetryVerdict(pauseAfterError), false
}

func orderReused() events.Verdict {
	return events.DeadVerdict(events.DeadOrderReused, "order: another command was taken under this order number")
}

// withoutClaim goes on with the log alone, or waits, as configured.
func (w *Worker) withoutClaim(ctx context.Context, j *job, err error) (events.Verdict, bool) {
	w.metrics.claimsDown.Add(ctx, 1)
	if err != nil {
		w.Logger.ErrorContext(ctx, "the claim store cannot be asked", "provider", j.ref.Provider, "order", j.ref.Order, "wait", w.ClaimsRequired, "error", err)
	}
	if w.ClaimsRequired {
		return events.RetryVerdict(pauseAfterError), false
	}
	return events.Verdict{}, true
}

// recall starts from the snapshot. One that cannot be read, that is of another command or that is older
// than the log does no harm: the log then refuses the next append.
func (j *job) recall(last idempotency.Snapshot) {
	if last.Sequence == 0 {
		return
	}
	if remembered, err := events.DecodePayment(last.Payment); err == nil && remembered.Fingerprint == j.meaning {
		j.payment, j.seq, j.remembered = remembered, last.Sequence, true
	}
}

// complete remembers the payment with its claim. A failure costs a look into the log later, no more.
func (w *Worker) complete(ctx context.Context, j *job) {
	if j.held == nil || j.seq == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	data, err := events.EncodeSnapshot(j.payment)
	if err == nil {
		err = w.Claims.Complete(ctx, j.ref, j.held.Held, idempotency.Snapshot{Sequence: j.seq, Payment: data}, w.Timing.ClaimRetention)
	}
	if err != nil {
		w.Logger.WarnContext(ctx, "the claim could not be completed", "provider", j.ref.Provider, "order", j.ref.Order, "error", err)
		return
	}
	j.held.completed = true
}

// giveBack releases a claim that was not completed, so that a redelivery need not wait for the lease.
func (w *Worker) giveBack(ctx context.Context, j *job) {
	if j.held == nil {
		return
	}
	w.metrics.claimsHeld.Add(ctx, -1)
	if j.held.completed {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	if err := w.Claims.Release(ctx, j.ref, j.held.Held); err != nil && !errors.Is(err, idempotency.ErrLost) {
		w.Logger.WarnContext(ctx, "the claim could not be released", "provider", j.ref.Provider, "order", j.ref.Order, "error", err)
	}
}

// refuse writes that a payment which can be named will not be executed, and gives its message up. A
// payment that the log knows already is left as it is.
func (w *Worker) refuse(ctx context.Context, p payment.Payment, reason events.DeadReason, detail string) events.Verdict {
	j := &job{ref: p.Ref, payment: p, started: w.Now()}
	next, _, err := payment.Decide(p, refusal(payment.ReasonInvalid, detail), w.Now())
	if err == nil {
		err = w.append(ctx, j, next)
	}
	if err != nil && !errors.Is(err, events.ErrStale) {
		w.Logger.WarnContext(ctx, "the refusal could not be written", "provider", p.Provider, "order", p.Order, "error", err)
		return events.RetryVerdict(pauseAfterError)
	}
	return events.DeadVerdict(reason, detail)
}

// refuseUndecodable gives a message up that is no command, and fails its payment if that has a name.
func (w *Worker) refuseUndecodable(ctx context.Context, err error) events.Verdict {
	var bad *events.CommandError
	if !errors.As(err, &bad) {
		return events.DeadVerdict(events.DeadUndecodable, err.Error())
	}
	if bad.Ref.Validate() != nil {
		return events.DeadVerdict(bad.Reason, bad.Error())
	}
	now := w.Now().UTC()
	p := payment.Payment{Ref: bad.Ref, Operation: bad.Operation, Status: payment.Requested, RequestedAt: now, UpdatedAt: now}
	return w.refuse(ctx, p, bad.Reason, bad.Error())
}
