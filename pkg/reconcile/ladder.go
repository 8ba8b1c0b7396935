package reconcile

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"payonce/pkg/payment"
)

// Ladder says when a payment of which nothing is heard is looked up. Durations count in the provider's open
// time, from the payment's last event.
type Ladder struct {
	// BasicTime is after how long a result is usually there. The first look-up is made then; each further one
	// when six times as long has passed, until Threshold.
	BasicTime time.Duration
	// Threshold is the longest time in which a result comes. A payment that is still open is looked up once
	// more, and a person is told.
	Threshold time.Duration
	// WallThreshold says that Threshold goes on while the provider is closed. An event that became as old while it was
	// closed is handled when it opens.
	WallThreshold bool
}

// growth is how much longer each rung is than the one before: four rungs from ten minutes to two days.
const growth = 6

// Validate returns an error unless 0 < BasicTime < Threshold.
func (l Ladder) Validate() error {
	if l.BasicTime <= 0 || l.BasicTime >= l.Threshold {
		return errors.New("the basic time must be more than 0 and less than the threshold")
	}
	return nil
}

// Times returns the ages at which an event's payment is looked up; the last is the threshold.
func (l Ladder) Times() []time.Duration {
	var times []time.Duration
	for _, r := range l.rungs() {
		times = append(times, r.after)
	}
	return times
}

// rung is one step of a ladder.
type rung struct {
	name     string        // of its timer; the last of a ladder is "threshold", whatever stands before it
	life     time.Duration // of the pages that it is for, in any time; 0 for a rung that is for all payments
	after    time.Duration // that life, in the provider's open time
	wall     bool          // in any time instead
	statuses []payment.Status
}

// rungs returns the steps of a ladder. The first also finds intents whose result nobody wrote, in any time: a
// worker died, and its command is gone or parked. What it makes of them has a ladder of its own.
func (l Ladder) rungs() []rung {
	var rungs []rung
	open := []payment.Status{payment.InDoubt, payment.Pending}
	for after := l.BasicTime; after <= l.Threshold/2 || len(rungs) == 0; after *= growth {
		rungs = append(rungs, rung{name: strconv.Itoa(len(rungs) + 1), after: after, statuses: open})
	}
	rungs[0].statuses = append([]payment.Status{payment.Submitting}, open...)
	return append(rungs, rung{name: "threshold", after: l.Threshold, wall: l.WallThreshold, statuses: open})
}

func (r rung) takes(s payment.Status) bool { return slices.Contains(r.statuses, s) }
