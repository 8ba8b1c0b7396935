package worker

import (
	"context"
	"time"

	"payonce/pkg/payment"
)

// Limits rate-limit calls and stop calling a provider that is down. Each method is called concurrently.
type Limits interface {
	// Enter asks whether a call of the provider makes sense now. If it does, done is called once: with
	// called and the call's error when a call was made, and with false when none was. If the provider is
	// not available ok is false, and again says when to ask again.
	Enter(ctx context.Context, provider string) (done func(called bool, err error), again time.Time, ok bool)
	// Reserve takes one call out of the provider's budget and returns how long it must wait. If that is
	// longer than timeout it takes nothing, and ok is false.
	Reserve(ctx context.Context, provider string, timeout time.Duration) (wait time.Duration, ok bool)
	// EnterAccount asks whether a request to pay an order in one way of paying makes sense now: it does not while
	// the provider refuses our account for it ([connectors.Misconfigured]). The results are those of Enter.
	EnterAccount(ctx context.Context, ref payment.Ref, way string) (done func(called bool, err error), again time.Time, ok bool)
}

// unlimited is a world without limits.
type unlimited struct{}

func (unlimited) Enter(context.Context, string) (func(bool, error), time.Time, bool) {
	return func(bool, error) {}, time.Time{}, true
}

func (unlimited) EnterAccount(context.Context, payment.Ref, string) (func(bool, error), time.Time, bool) {
	return func(bool, error) {}, time.Time{}, true
}

func (unlimited) Reserve(context.Context, string, time.Duration) (time.Duration, bool) {
	return 0, true
}

// budgetTimeout is how long a command waits in its handler for a place in the provider's budget. It keeps
// its slot meanwhile, so that the rest of the queue stays where it is; parked instead, a whole queue would
// be written into the log and come back, again and again.
const budgetTimeout = time.Minute

// blockReason is why no call may be made now.
type blockReason struct {
	code  string // a Reason… constant; empty for none
	again time.Time
}

// admitSubmit asks for one request to pay. While the provider refuses our account for this way of paying it may
// not be made: one payment at a time finds out whether the account was put right.
func (w *Worker) admitSubmit(ctx context.Context, j *job) (done func(bool, error), why blockReason, err error) {
	way := string(j.cmd.Operation)
	if j.cmd.Method != "" {
		way += "/" + j.cmd.Method
	}
	account, again, ok := w.Limits.EnterAccount(ctx, j.ref, way)
	if !ok {
		return nil, blockReason{payment.ReasonAccountMisconfigured, again}, nil
	}
	call, why, err := w.admit(ctx, j)
	if call == nil {
		account(false, nil)
		return nil, why, err
	}
	return func(called bool, err error) {
		call(called, err)
		account(called, err)
	}, why, err
}

// admit asks for one call of the provider. done is nil when it may not be made now: for the block reason, or,
// without one, because the job has waited for its place and must look around before it asks again.
func (w *Worker) admit(ctx context.Context, j *job) (done func(bool, error), why blockReason, err error) {
	done, again, ok := w.Limits.Enter(ctx, j.ref.Provider)
	if !ok {
		return nil, blockReason{payment.ReasonBreakerOpen, again}, nil
	}
	if j.placed {
		j.placed = false
		return done, blockReason{}, nil
	}
	wait, ok := w.Limits.Reserve(ctx, j.ref.Provider, budgetTimeout)
	if ok && wait <= 0 {
		return done, blockReason{}, nil
	}
	done(false, nil) // the breaker's place is another's meanwhile
	if !ok {
		return nil, blockReason{payment.ReasonRateLimited, w.Now().Add(wait)}, nil
	}
	return nil, blockReason{}, w.awaitPlace(ctx, j, wait)
}

// awaitPlace waits for its reservation in the budget, or until the process stops, and makes sure
// that the rest of the lease is long enough for a call.
func (w *Worker) awaitPlace(ctx context.Context, j *job, wait time.Duration) error {
	if w.Wait(ctx, wait); ctx.Err() != nil {
		return nil // the caller sees it
	}
	j.placed = true
	if j.spent(w.Local())+w.Timing.RetryFor+2*w.Timing.SubmitTimeout < w.Timing.Lease {
		return nil
	}
	began := w.Local()
	if err := w.renew(ctx, j); err != nil {
		return err
	}
	j.started = began
	return nil
}

// wait returns after d or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
