package reconcile

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"payonce/pkg/payment"
)

// LookupSchedule says when a payment of which nothing is heard is looked up. Durations count in the provider's open
// time, from the payment's last event.
type LookupSchedule struct {
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

// growth is how much longer each step is than the one before: four steps from ten minutes to two days.
const growth = 6

// Validate returns an error unless 0 < BasicTime < Threshold.
func (l LookupSchedule) Validate() error {
	if l.BasicTime <= 0 || l.BasicTime >= l.Threshold {
		return errors.New("the basic time must be positive and less than the threshold")
	}
	return nil
}

// Times returns the ages at which an event's payment is looked up; the last is the threshold.
func (l LookupSchedule) Times() []time.Duration {
	var times []time.Duration
	for _, r := range l.steps() {
		times = append(times, r.after)
	}
	return times
}

// step is one step of a lookup schedule.
type step struct {
	name     string        // of its timer; the last of a lookup schedule is "threshold", whatever step is before it
	life     time.Duration // of the pages that it is for, in any time; 0 for a step that is for all payments
	after    time.Duration // that life, in the provider's open time
	wall     bool          // in any time instead
	statuses []payment.Status
}

// steps returns the steps of a lookup schedule. The first also finds intents without a written result, in any time: a
// worker died, and its command is gone or parked. What it makes of them has a lookup schedule of its own.
func (l LookupSchedule) steps() []step {
	var steps []step
	open := []payment.Status{payment.InDoubt, payment.Pending}
	for after := l.BasicTime; after <= l.Threshold/2 || len(steps) == 0; after *= growth {
		steps = append(steps, step{name: strconv.Itoa(len(steps) + 1), after: after, statuses: open})
	}
	steps[0].statuses = append([]payment.Status{payment.Submitting}, open...)
	return append(steps, step{name: "threshold", after: l.Threshold, wall: l.WallThreshold, statuses: open})
}

func (r step) takes(s payment.Status) bool { return slices.Contains(r.statuses, s) }
