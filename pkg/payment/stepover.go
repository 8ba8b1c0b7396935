package payment

import (
	"slices"
	"time"
)

// Skipped is an event of a payment that cannot be read and that a person steps over: what its subject says, which proves
// nothing, and when it was stored.
type Skipped struct {
	Status Status
	At     time.Time
}

// StepOver returns a payment as it must be taken after events that cannot be read. p is the payment before them, [Requested] where
// nothing is known of it, and skipped are the events in their order, at least one. why is a person's reason.
//
// An outcome stays. A payment that its provider has stays so too, if the subjects say nothing else: it is never sent from
// there. Everything else is in doubt, because each of the events may have been the intent to send it, and it may be sent
// again only after what a doubt always needs. Where an event may hold the provider's word on it, or nothing is known of
// what was before, it is never sent again.
func StepOver(p Payment, skipped []Skipped, why Reason, now time.Time) Payment {
	next := p
	next.Revision, next.UpdatedAt = p.Revision+len(skipped)+1, now.UTC()
	if p.Status.Ended() || p.Status == Pending && all(skipped, Pending) {
		return next
	}
	next.Status = InDoubt
	if p.Amount.IsZero() { // in doubt, it could not even be looked up
		next.Status = Conflict
	}
	if !p.CallsPerson() {
		why.Code = ReasonUnreadable
		next.Reason = &why
	}
	next.Known = p.Known || p.Status == Requested || !all(skipped, Submitting, Parked)
	next.NotFound, next.NotFoundAt, next.OverdueAt = 0, time.Time{}, time.Time{}
	next.RetryApproved, next.Refused = false, false
	next.Action, next.ResumeAt = nil, time.Time{}
	countSkipped(&next, p, skipped)
	return next
}

// countSkipped counts the requests that the skipped events may have been the intents of. The last of them is as young as the
// last event.
func countSkipped(next *Payment, p Payment, skipped []Skipped) {
	requests := 0
	for _, s := range skipped {
		if s.Status == Submitting {
			requests++
		}
	}
	if p.Status == Parked || p.Status == Requested {
		requests = max(requests, 1)
	}
	next.Attempts, next.Submits = p.Attempts+requests, p.Requests()+requests
	if next.FirstSubmittedAt.IsZero() && p.Requests() > 0 {
		next.FirstSubmittedAt = p.SubmittedAt
	}
	if next.FirstSubmittedAt.IsZero() {
		next.FirstSubmittedAt = skipped[0].At.UTC()
	}
	if at := skipped[len(skipped)-1].At.UTC(); at.After(p.SubmittedAt) {
		next.SubmittedAt = at
	}
}

// all reports whether the subjects of all events say one of these.
func all(skipped []Skipped, statuses ...Status) bool {
	return !slices.ContainsFunc(skipped, func(s Skipped) bool { return !slices.Contains(statuses, s.Status) })
}
