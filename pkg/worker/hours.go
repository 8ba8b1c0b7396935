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
		return refusal(payment.ReasonClosed, "no opening is known"), true
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
// same place each time. At least half of the open time, and half of the time that the customer and we give it, is left
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
	return opens.Add(place(cmd.Ref, window))
}

// place gives every order its own place in a window, the same each time.
func place(ref payment.Ref, window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	sum := sha256.Sum256([]byte(ref.Provider + "/" + ref.Order))
	return time.Duration(binary.BigEndian.Uint64(sum[:8]) % uint64(window))
}
