package worker

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/payment"
)

// DownPolicy says what becomes of a payment that would be sent while its provider is not available.
type DownPolicy string

// The policies. Any other value, also the empty one, parks.
const (
	ParkDown   DownPolicy = "park"   // it waits until the provider answers again
	RejectDown DownPolicy = "reject" // it fails at once
)

// GiveUpPolicy says how long payments of one operation wait for their provider. The zero GiveUpPolicy waits for
// ever.
type GiveUpPolicy struct {
	Down DownPolicy
	// GiveUpAfter is how long, from requested_at, a payment is tried again of which nothing was executed.
	// Only the time in which the provider is open counts. 0 gives nothing up.
	GiveUpAfter time.Duration
	// MaxSubmits is how often an order is sent at most of which the provider says that it does not know it;
	// 0 takes [DefaultMaxSubmits]. Then it stays in doubt, and only a person has it sent again.
	MaxSubmits int
}

// givesUpAt is when a payment is not tried again any more; zero for never.
func (w *Worker) givesUpAt(cmd payment.Command) time.Time {
	limit := w.GiveUpPolicy(cmd.Provider, cmd.Operation).GiveUpAfter
	if limit <= 0 {
		return time.Time{}
	}
	opening := w.Opening(cmd.Provider, cmd.Operation)
	hours := opening.Hours
	if opening.Closed == SendClosed {
		hours = calendar.Hours{}
	}
	at, _ := hours.AddOpen(cmd.RequestedAt, limit) // zero for never, too
	return at
}

// tooLate returns what to decide about a payment of which nothing was executed and that is not tried any
// more. One that was never kept back is tried once, however long it lay in the queue.
func (w *Worker) tooLate(j *job, now time.Time) (decision payment.Observation, late bool) {
	if j.cmd.Expired(now) {
		return refusal(payment.ReasonExpired, "expires_at has passed"), true
	}
	if at := w.givesUpAt(j.cmd); j.payment.Status != payment.Parked || at.IsZero() || now.Before(at) {
		return payment.Observation{}, false
	}
	message := "nothing could be sent within give_up_after"
	if j.payment.Reason != nil {
		message += ", the last reason is " + j.payment.Reason.Code
	}
	return refusal(payment.ReasonGaveUp, message), true
}

// inTime returns the time at which a payment is tried again, not later than the end of the customer's
// timeout or of ours, so that it ends then.
func (w *Worker) inTime(cmd payment.Command, at time.Time) time.Time {
	now := w.Now()
	for _, end := range []time.Time{cmd.ExpiresAt, w.givesUpAt(cmd)} {
		if end.After(now) && end.Before(at) {
			at = end
		}
	}
	return at
}

// stopping reports whether ctx ended because the process stops, and not because its time ran out.
func stopping(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded)
}
