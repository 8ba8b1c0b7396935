package worker

import (
	"context"
	"time"

	"payonce/pkg/connectors"
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

// permit is the right to make one call of the provider: those who gave it learn how the call ended.
type permit []func(called bool, err error)

// Done gives the permit back. It is called once, also where no call was made: called says whether one was, and err how
// it ended.
func (p permit) Done(called bool, err error) {
	for _, done := range p {
		done(called, err)
	}
}

// blockReason is why no call may be made now.
type blockReason struct {
	code  string    // a Reason… constant; empty for none
	again time.Time // when to ask again
}

// admission says whether a call of the provider may be made now: with a permit it may, otherwise block or err says why
// not. Without any of them the job has waited for its reservation and must look around before it asks again.
type admission struct {
	permit permit
	block  blockReason
	err    error
}

// admitSubmit asks for one request to pay. While the provider refuses our account for this way of paying it may
// not be made: one payment at a time finds out whether the account was put right.
func (w *Worker) admitSubmit(ctx context.Context, j *job) admission {
	way := string(j.cmd.Operation)
	if j.cmd.Method != "" {
		way += "/" + j.cmd.Method
	}
	account, again, ok := w.Limits.EnterAccount(ctx, j.ref, way)
	if !ok {
		return admission{block: blockReason{payment.ReasonAccountMisconfigured, again}}
	}
	a := w.admit(ctx, j)
	if a.permit == nil {
		account(false, nil)
		return a
	}
	a.permit = append(a.permit, account)
	return a
}

// admit asks for one call of the provider.
func (w *Worker) admit(ctx context.Context, j *job) admission {
	done, again, ok := w.Limits.Enter(ctx, j.ref.Provider)
	if !ok {
		return admission{block: blockReason{payment.ReasonBreakerOpen, again}}
	}
	if j.reserved {
		j.reserved = false
		return admission{permit: permit{done}}
	}
	wait, ok := w.Limits.Reserve(ctx, j.ref.Provider, connectors.BudgetTimeout)
	if ok && wait <= 0 {
		return admission{permit: permit{done}}
	}
	done(false, nil) // the breaker's probe is for another meanwhile
	if !ok {
		return admission{block: blockReason{payment.ReasonRateLimited, w.Now().Add(wait)}}
	}
	return admission{err: w.awaitReservation(ctx, j, wait)}
}

// awaitReservation waits for its reservation in the budget, or until the process stops, and makes sure
// that the rest of the lease is long enough for a call.
func (w *Worker) awaitReservation(ctx context.Context, j *job, wait time.Duration) error {
	if w.Wait(ctx, wait); ctx.Err() != nil {
		return nil // the caller sees it
	}
	j.reserved = true
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
