package worker

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

const (
	// claimPause is how long the worker goes on without the claim store after it failed, so that an
	// outage costs one slow call a second and not one for every message.
	claimPause = time.Second
	// busyMin and busyMax bound how long a message waits whose order another worker holds.
	busyMin, busyMax = 50 * time.Millisecond, 2 * time.Second
)

// claim takes the order for this job. It reports false, with the verdict, when another works on it now. Nothing
// else is learned from the store: who forged, restored or flushed it can make this worker slower, and no more.
func (w *Worker) claim(ctx context.Context, j *job) (queue.Verdict, bool) {
	// One that is further away was set before the clock was set back.
	if left := w.claimsDownUntil.Load() - w.Now().UnixNano(); 0 < left && left <= claimPause.Nanoseconds() {
		return w.withoutClaim(ctx, j, nil)
	}
	// Bounded, so that a slow store cannot eat the lease that is being asked for.
	askCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	claim, err := w.Claims.Claim(askCtx, j.ref, idempotency.Request{
		Owner: w.NewID(), Lease: w.Timing.Lease, Retention: w.Timing.ClaimRetention,
	})
	if err != nil {
		w.claimsDownUntil.Store(w.Now().Add(claimPause).UnixNano())
		return w.withoutClaim(ctx, j, err)
	}
	if claim.Outcome != idempotency.Won {
		return queue.RetryAfter(min(max(claim.Wait, busyMin), busyMax)), false
	}
	j.held, j.known = &claim.Held, !claim.Held.First()
	w.metrics.claimsHeld.Add(ctx, 1)
	return queue.Verdict{}, true
}

func orderReused() queue.Verdict {
	return queue.DeadLetter(events.DeadOrderReused, "order: another command was taken under this order number")
}

// withoutClaim goes on with the log alone, or waits, as configured.
func (w *Worker) withoutClaim(ctx context.Context, j *job, err error) (queue.Verdict, bool) {
	w.metrics.claimsDown.Add(ctx, 1)
	if err != nil {
		w.Logger.ErrorContext(ctx, "the claim store cannot be asked", "provider", j.ref.Provider, "order", j.ref.Order, "wait", w.ClaimsRequired, "error", err)
	}
	if w.ClaimsRequired {
		return queue.RetryAfter(pauseAfterError), false
	}
	return queue.Verdict{}, true
}

// giveBack releases the claim, so that a redelivery need not wait for the lease. It may be called again.
func (w *Worker) giveBack(ctx context.Context, j *job) {
	if j.held == nil {
		return
	}
	held := *j.held
	j.held = nil
	w.metrics.claimsHeld.Add(ctx, -1)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	if err := w.Claims.Release(ctx, j.ref, held); err != nil && !errors.Is(err, idempotency.ErrLost) {
		w.Logger.WarnContext(ctx, "the claim could not be released", "provider", j.ref.Provider, "order", j.ref.Order, "error", err)
	}
}

// refuse writes that a payment which can be named will not be executed, and gives its message up. A
// payment that the log knows already is left as it is.
func (w *Worker) refuse(ctx context.Context, p payment.Payment, reason events.DeadReason, detail string) queue.Verdict {
	j := &job{ref: p.Ref, payment: p, started: w.Local()}
	next, _, err := payment.Decide(p, refusal(payment.ReasonInvalid, detail), w.Now())
	if err == nil {
		err = w.append(ctx, j, next)
	}
	if err != nil && !errors.Is(err, events.ErrStale) {
		w.Logger.WarnContext(ctx, "the refusal could not be written", "provider", p.Provider, "order", p.Order, "error", err)
		return queue.RetryAfter(pauseAfterError)
	}
	return queue.DeadLetter(reason, detail)
}

// refuseUndecodable gives a message up that is no command, and fails its payment if that has a name.
func (w *Worker) refuseUndecodable(ctx context.Context, err error) queue.Verdict {
	var bad *events.CommandError
	if !errors.As(err, &bad) {
		return queue.DeadLetter(events.DeadUndecodable, err.Error())
	}
	if bad.Ref.Validate() != nil {
		return queue.DeadLetter(bad.Reason, bad.Error())
	}
	if bad.Upstream != "" && w.OrderPrefixes.Check(bad.Upstream, bad.Ref.Order) != nil {
		return queue.DeadLetter(bad.Reason, bad.Error()) // an event would take a number that is reserved
	}
	now := w.Now().UTC()
	p := payment.Payment{Ref: bad.Ref, Operation: bad.Operation, Status: payment.Requested, RequestedAt: now, UpdatedAt: now, Upstream: bad.Upstream}
	return w.refuse(ctx, p, bad.Reason, bad.Error())
}
