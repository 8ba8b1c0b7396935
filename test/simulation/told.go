package simulation

import (
	"slices"
	"time"

	"payonce/pkg/payment"
)

const (
	// explainFor is how long the engine waits for a look-up to explain an unreadable statement.
	explainFor = 5 * time.Minute
	// explainBound is within how much open time a person is alerted to one, in calm.
	explainBound = 15 * time.Minute
	// overdueBound is how much later than the threshold a person is alerted, in calm: look-ups become rare.
	overdueBound = time.Hour
)

// tells reports whether an event alerts a person to an open payment.
func tells(before, p payment.Payment) bool {
	return !p.OverdueAt.IsZero() && !p.OverdueAt.Equal(before.OverdueAt)
}

// judgeTold checks that a worker that alerts a person to an unreadable statement has just asked the provider, or has waited
// long enough for its answer.
func (w *world) judgeTold(t *task, p payment.Payment, after uint64) {
	before := w.log.at(p.Ref, after)
	if !tells(before, p) || code(p) != payment.ReasonUnexplained || t.answered {
		return
	}
	if w.openTime(p.Operation, said(p), p.OverdueAt) < explainFor-2*maxSkew && !w.overdue(w.orderOf(p.Ref), before, p) {
		w.problem("%s: a person is told of an unreadable statement without a look-up", p.Order)
	}
}

// judgeOverdue checks an event that alerts a person: nothing else happened, and there is a reason: an unreadable
// statement since a person was alerted last, a payment at its submit limit, or the threshold.
func (w *world) judgeOverdue(o *order, before, p payment.Payment) {
	if before.Status != p.Status || before.Attempts != p.Attempts || p.Status != payment.Pending && p.Status != payment.InDoubt {
		w.problem("%s: %s became %s by being overdue", o.ref.Order, before.Status, p.Status)
	}
	switch {
	case before.Unexplained(): // see judgeTold
		if code(p) != payment.ReasonUnexplained && code(p) != payment.ReasonAmountMismatch {
			w.problem("%s: a person is told of %q, and not of an unreadable statement", o.ref.Order, code(p))
		}
	case code(p) == payment.ReasonSubmitLimit && code(before) != payment.ReasonSubmitLimit:
		limit := w.limits.timeout[p.Operation]
		if p.Status != payment.InDoubt || p.NotFound < 2 || p.RetryApproved || p.Requests() < maxSubmits(limit) && limit.GiveUpAfter == 0 {
			w.problem("%s: at its submit limit after %d requests", o.ref.Order, p.Requests())
		}
	case !w.overdue(o, before, p):
		w.problem("%s: a person is told too early", o.ref.Order)
	}
}

// overdue reports whether the threshold has passed since the payment was sent first and since a person was alerted last.
func (w *world) overdue(o *order, before, p payment.Payment) bool {
	since := later(before.FirstSubmittedAt, before.OverdueAt)
	if over := epoch.Add(o.page); before.AwaitsPage() {
		since = later(since, over) // no person is alerted to a customer who may still come
	}
	return w.openTime(p.Operation, since, p.OverdueAt) >= threshold-2*maxSkew
}

// judgeUntold checks that a person is alerted in time.
func (w *world) judgeUntold(o *order, history []payment.Payment) {
	calm, end := epoch.Add(w.calm+maxLate), epoch.Add(w.calm+quiet)
	var before payment.Payment
	var since time.Time // the first unreadable statement to which no person was alerted
	for i, p := range history {
		until := end
		if i+1 < len(history) {
			until = history[i+1].UpdatedAt
		}
		switch {
		case p.Status.Ended() || tells(before, p) || alarms(p):
			since = time.Time{}
		case said(p).After(said(before)) && since.IsZero():
			since = later(p.UpdatedAt, calm)
		}
		if !since.IsZero() && w.openTime(p.Operation, since, until) > explainBound {
			w.problem("%s: nobody is told of an unreadable statement", o.ref.Order)
			return
		}
		before = p
	}
	if before.Status != payment.Pending && before.Status != payment.InDoubt || before.AwaitsPage() {
		return
	}
	since = later(later(before.OpenSince(), before.OverdueAt), calm)
	if !before.PageClosesAt.IsZero() {
		since = later(later(since, before.UpdatedAt), epoch.Add(o.page))
	}
	if w.openTime(before.Operation, since, end) > threshold+overdueBound {
		w.problem("%s: nobody is told that it is overdue", o.ref.Order)
	}
}

// alarms reports whether the reason of a payment in doubt calls a person by itself, with each of its events.
func alarms(p payment.Payment) bool {
	codes := []string{payment.ReasonAmountMismatch, payment.ReasonSecondReference, payment.ReasonPartlyReversed}
	return p.Status == payment.InDoubt && slices.Contains(codes, code(p))
}

// said is when the provider said something unreadable last.
func said(p payment.Payment) time.Time {
	if len(p.Annotations) == 0 {
		return time.Time{}
	}
	return p.Annotations[len(p.Annotations)-1].At
}

func (w *world) openTime(op payment.Operation, from, to time.Time) time.Duration {
	return w.hours[op].engine.OpenDuration(from, to)
}

func code(p payment.Payment) string {
	if p.Reason == nil {
		return ""
	}
	return p.Reason.Code
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
