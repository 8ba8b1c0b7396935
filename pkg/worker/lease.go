package worker

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/idempotency"
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
	askCtx, cancel := w.bounded(ctx)
	defer cancel()
	claim, err := w.Claims.Claim(askCtx, j.ref, idempotency.Request{
		Owner: w.NewID(), Lease: w.Timing.Lease, Retention: w.Timing.ClaimRetention,
	})
	if err != nil {
		if was := w.claimsDownUntil.Swap(w.Now().Add(claimPause).UnixNano()); was != 0 { // logged once for each outage
			err = nil
		}
		return w.withoutClaim(ctx, j, err)
	}
	if w.claimsDownUntil.Load() != 0 && w.claimsDownUntil.Swap(0) != 0 { // one of many logs it
		w.Logger.InfoContext(ctx, "claim store available again")
	}
	if claim.Outcome != idempotency.Won {
		return queue.RetryAfter(min(max(claim.Wait, busyMin), busyMax)), false
	}
	j.held, j.known = &claim.Held, !claim.Held.First()
	w.metrics.claimsHeld.Add(ctx, 1)
	return queue.Verdict{}, true
}

// withoutClaim goes on with the log alone, or waits, as configured. It logs err, which is nil for an outage that was logged already.
func (w *Worker) withoutClaim(ctx context.Context, j *job, err error) (queue.Verdict, bool) {
	w.metrics.claimsDown.Add(ctx, 1)
	if err != nil {
		w.Logger.ErrorContext(ctx, "claim store unavailable", "provider", j.ref.Provider, "order", j.ref.Order, "wait", w.ClaimsRequired, "error", err)
	}
	if w.ClaimsRequired {
		return queue.RetryAfter(pauseAfterError), false
	}
	return queue.Verdict{}, true
}

// renew makes the lease begin again. Without the claim store the worker goes on with the log alone, or not,
// as configured.
func (w *Worker) renew(ctx context.Context, j *job) error {
	if j.held == nil {
		return nil
	}
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	err := w.Claims.Renew(ctx, j.ref, *j.held, w.Timing.Lease)
	if err == nil || errors.Is(err, idempotency.ErrLost) || w.ClaimsRequired {
		return err
	}
	w.metrics.claimsDown.Add(ctx, 1)
	w.Logger.ErrorContext(ctx, "cannot renew the claim; continuing with the log alone", "provider", j.ref.Provider, "order", j.ref.Order, "error", err)
	return nil
}

// spent is how long the job has held its lease, by the clock that has moved further: the monotonic
// clock stands still while a machine is suspended, and the wall clock can be set back.
func (j *job) spent(now time.Time) time.Duration { return elapsed(j.started, now) }

// elapsed is the time since from by the clock that has moved further.
func elapsed(from, now time.Time) time.Duration {
	return max(now.Sub(from), now.Round(0).Sub(from.Round(0)))
}

// release releases the claim, so that a redelivery need not wait for the lease. It may be called again.
func (w *Worker) release(ctx context.Context, j *job) {
	if j.held == nil {
		return
	}
	held := *j.held
	j.held = nil
	w.metrics.claimsHeld.Add(ctx, -1)
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	if err := w.Claims.Release(ctx, j.ref, held); err != nil && !errors.Is(err, idempotency.ErrLost) {
		w.Logger.WarnContext(ctx, "cannot release the claim", "provider", j.ref.Provider, "order", j.ref.Order, "error", err)
	}
}
