package worker

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/payment"
)

// ClosedPolicy says what becomes of a payment that would be sent while its provider is closed.
type ClosedPolicy string

// The policies. Any other value, also the empty one, parks.
const (
	ParkClosed   ClosedPolicy = "park"   // it waits for the next opening
	RejectClosed ClosedPolicy = "reject" // it fails at once
	SendClosed   ClosedPolicy = "send"   // it is sent all the same
)

// Opening says when a provider takes payments of one operation, and what becomes of the others. The zero
// Opening is always open.
type Opening struct {
	Hours  calendar.Hours
	Closed ClosedPolicy
	// WallThreshold says that the provider's threshold goes on while it is closed.
	WallThreshold bool
}

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
	// MaxSubmits is how often an order is sent at most of which the provider says that it does not know it; 0 and 1
	// send it once. Then it stays in doubt, and only a person has it sent again.
	MaxSubmits int
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
	message := "not sent within give_up_after"
	if j.payment.Reason != nil {
		message += ", the last reason is " + j.payment.Reason.Code
	}
	return refusal(payment.ReasonGaveUp, message), true
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

// closed returns what to decide about a command that would be sent now while its provider is closed: to
// park or to refuse it. shut is false when it may be sent.
func (w *Worker) closed(cmd payment.Command, now time.Time) (decision payment.Observation, shut bool) {
	opening := w.Opening(cmd.Provider, cmd.Operation)
	if opening.Closed == SendClosed || opening.Hours.Open(now) {
		return payment.Observation{}, false
	}
	opens, ever := opening.Hours.NextOpening(now)
	message := "opens " + opens.UTC().Format(time.RFC3339)
	switch {
	case !ever:
		return refusal(payment.ReasonClosed, "no opening time is known"), true
	case opening.Closed == RejectClosed:
		return refusal(payment.ReasonClosed, message), true
	case cmd.Expired(opens):
		return refusal(payment.ReasonExpired, "expires_at passes before the provider opens"), true
	}
	return payment.Observation{
		Kind: payment.Park, Source: payment.FromWorker, ResumeAt: w.resumeAt(cmd, opening.Hours, opens),
		Reason: &payment.Reason{Code: payment.ReasonClosed, Message: message},
	}, true
}

// resumeAt spreads commands over the time after an opening, so that it is no stampede. A command has the
// same time each time. At least half of the open time, and half of the time that the customer and we give it, is left
// after it: a schedule has whole seconds, and the queue may be long.
func (w *Worker) resumeAt(cmd payment.Command, hours calendar.Hours, opens time.Time) time.Time {
	window := w.Timing.ResumeSpread
	if closes, ever := hours.NextClosing(opens); ever {
		window = min(window, closes.Sub(opens)/2)
	}
	if !cmd.ExpiresAt.IsZero() {
		window = min(window, cmd.ExpiresAt.Sub(opens)/2)
	}
	if end := w.givesUpAt(cmd); !end.IsZero() {
		window = min(window, end.Sub(opens)/2)
	}
	return opens.Add(jitter(cmd.Ref, window))
}

// jitter gives every order its own part of a window, the same each time.
func jitter(ref payment.Ref, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(ref.Provider + "/" + ref.Order))
	return time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(window))
}

// doubled returns a pause that has doubled so many times, and is the longest at most.
func doubled(pause, longest time.Duration, times int) time.Duration {
	for ; times > 0 && pause < longest; times-- {
		pause = min(2*pause, longest)
	}
	return pause
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

// closedUntil reports whether a provider is closed, and when it opens. Nothing is processed while it is closed, so
// an answer would be the same as at the closing. One of which no opening is known is not taken for closed:
// to ask in vain does no harm.
func (w *Worker) closedUntil(provider string, op payment.Operation) (opens time.Time, closed bool) {
	hours, now := w.Opening(provider, op).Hours, w.Now()
	if hours.Open(now) {
		return time.Time{}, false
	}
	return hours.NextOpening(now)
}
