package simulation

import (
	"slices"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// judge holds what is left at the end of a run against the truth.
func (w *world) judge() {
	for _, o := range w.orders {
		history := w.log.history(o.ref)
		w.judgeHistory(o, history)
		w.judgeCommands(o, history)
		w.judgeSubmits(o, history)
		w.judgeUntold(o, history)
		if len(history) > 0 {
			w.judgeOutcome(o, history)
		}
	}
	w.judgeQueue()
}

// judgeHistory checks what holds for every list of events.
func (w *world) judgeHistory(o *order, history []payment.Payment) {
	attempts, outcome := 0, payment.Status("")
	for i, p := range history {
		if p.Revision != i+1 {
			w.problem("%s: event %d has revision %d", o.ref.Order, i+1, p.Revision)
		}
		if p.Status == payment.Submitting {
			attempts++
		}
		if p.Status == payment.Parked && p.Reason != nil && p.Reason.Code == payment.ReasonStopping { // withdrawn
			attempts--
		}
		if p.Attempts != attempts {
			w.problem("%s: event %d has %d attempts after %d intents", o.ref.Order, i+1, p.Attempts, attempts)
		}
		if p.Fingerprint != history[0].Fingerprint {
			w.problem("%s: event %d is another command's", o.ref.Order, i+1)
		}
		if p.Reason != nil && p.Reason.Code == payment.ReasonClosed {
			w.judgeClosed(o, p)
		}
		if i > 0 && p.Status == payment.Failed && p.Reason != nil && p.Reason.Code == payment.ReasonBreakerOpen && outcome != payment.Parked {
			w.problem("%s: refused by the breaker when it was %s", o.ref.Order, outcome)
		}
		if i > 0 && tells(history[i-1], p) {
			w.judgeOverdue(o, history[i-1], p)
		}
		if p.Status == payment.Failed {
			w.judgeFailed(o, history[max(i-1, 0)], p)
		}
		if outcome.Ended() && !follows(outcome, p.Status) {
			w.problem("%s: %s after %s", o.ref.Order, p.Status, outcome)
		}
		outcome = p.Status
	}
}

// follows reports whether a status may come after an outcome, when no person acts.
func follows(outcome, next payment.Status) bool {
	return next == payment.Conflict || outcome == payment.Settled && next == payment.Reversed
}

// judgeCommands checks that every command is in the log or among the dead letters, for a good reason.
func (w *world) judgeCommands(o *order, history []payment.Payment) {
	for _, fingerprint := range o.commands {
		inLog := len(history) > 0 && history[0].Fingerprint == fingerprint
		reasons := map[events.DeadReason]bool{}
		for _, d := range w.dead {
			if d.ref == o.ref && d.fingerprint == fingerprint {
				reasons[d.reason] = true
			}
		}
		want := events.DeadOrderReused
		if o.old {
			want = events.DeadTooOld
		}
		switch {
		case inLog && len(reasons) > 0:
			w.problem("%s: the command in the log is a dead letter, too: %v", o.ref.Order, reasons)
		case !inLog && (len(reasons) != 1 || !reasons[want]):
			w.problem("%s: a command is not in the log, and its dead letters are %v, want %s", o.ref.Order, reasons, want)
		}
	}
}

// judgeOutcome compares the last event with the truth.
func (w *world) judgeOutcome(o *order, history []payment.Payment) {
	p, want := history[len(history)-1], w.expected(o)
	if o.deal == nil && w.stuck(o, p) {
		want = append(want, payment.InDoubt)
	}
	if reversedFirst(o, history) {
		want = append(want, payment.Conflict)
	}
	if !slices.Contains(want, p.Status) {
		w.problem("%s: the log says %s, the truth allows %v", o.ref.Order, p.Status, want)
		return
	}
	d := o.deal
	switch {
	case p.Status == payment.Settled && p.SettledAmount != d.moved():
		w.problem("%s: settled %s, and %s moved", o.ref.Order, p.SettledAmount, d.moved())
	case p.Status != payment.Settled && p.Status != payment.Pending && p.Status != payment.Submitting && p.Reason == nil:
		w.problem("%s: %s without a reason", o.ref.Order, p.Status)
	}
}

// reversedFirst reports whether the log heard of the reversal before it heard of the payment, and the
// payment's report then says more than the reversal did: transfers, or an amount that is not the ordered one. A person must look
// at that, because the program cannot distinguish it from a second payment.
func reversedFirst(o *order, history []payment.Payment) bool {
	missed := slices.ContainsFunc(history, func(p payment.Payment) bool {
		return p.Reason != nil && p.Reason.Code == payment.ReasonReversalOfUnknown
	})
	d := o.deal
	return missed && (d.single || d.moved() != d.ordered || d.echo != d.ordered)
}

// expected lists the statuses that agree with the truth and with what could be learned of it.
func (w *world) expected(o *order) []payment.Status {
	want := append(w.known(o), w.afterwards(o)...)
	if o.deal == nil && o.purged { // no upstream sends it again: in doubt it is looked up for ever, parked it shows its time
		want = append(want, payment.InDoubt, payment.Parked)
	}
	if w.hours[o.cmd.Operation].shut && o.purged { // to be looked up at the opening
		want = append(want, payment.InDoubt)
	}
	return want
}

// known lists the statuses of an order whose command was not deleted.
func (w *world) known(o *order) []payment.Status {
	d := o.deal
	switch {
	case d == nil && o.page > 0 && w.hours[o.cmd.Operation].shut: // to be asked about
		return []payment.Status{payment.Pending, payment.Failed}
	case d == nil && w.waits(o): // to be sent or to be sent again
		return []payment.Status{payment.Failed, payment.Parked, payment.InDoubt}
	case d == nil: // rejected, expired
		return []payment.Status{payment.Failed}
	case d.echo != d.ordered && o.page > 0 && !d.told && w.hours[o.cmd.Operation].shut: // to be looked up at the opening
		return []payment.Status{payment.InDoubt, payment.Pending}
	case d.echo != d.ordered:
		return []payment.Status{payment.InDoubt}
	case d.contradicted:
		return []payment.Status{payment.Conflict}
	case d.state == payment.Accepted && w.waits(o): // to be looked up
		return []payment.Status{payment.Pending, payment.InDoubt}
	case d.state == payment.Accepted:
		return []payment.Status{payment.Pending}
	case d.state == payment.Reversal:
		return []payment.Status{payment.Reversed}
	}
	final := payment.Failed
	if d.state == payment.Paid {
		final = payment.Settled
	}
	want := []payment.Status{final}
	if d.extra {
		want = append(want, payment.Conflict)
	}
	if !d.told && !d.extra && w.hours[o.cmd.Operation].shut { // to be looked up at the opening
		want = append(want, payment.Pending)
	}
	if !d.told && !d.extra && w.waits(o) { // to be looked up
		want = append(want, payment.InDoubt)
	}
	return want
}

// judgeQueue checks that nothing waits, but for payments that are in doubt for a reason.
func (w *world) judgeQueue() {
	for _, o := range w.orders {
		if w.parked[o.ref] != nil && !w.doubted(o.ref) && !w.waits(o) {
			w.problem("%s: parked at the end", o.ref.Order)
		}
	}
	for _, d := range w.dead {
		if d.stream == events.StreamPayments {
			w.problem("%s: an event of the log is a dead letter: %s", d.ref.Order, d.reason)
		}
	}
	for _, m := range w.messages {
		if !m.gone && (m.stream != events.StreamCommands || !w.doubted(m.ref)) {
			w.problem("%s: %s %d waits at the end", m.ref.Order, m.stream, m.Sequence)
		}
	}
	w.judgeNotices()
}

// doubted reports whether a payment is in doubt. Its command is parked again and again, or just at work.
func (w *world) doubted(ref payment.Ref) bool {
	p, _, err := w.log.read(ref, 0)
	return err == nil && p.Status == payment.InDoubt
}

// waits reports whether commands wait for an opening that lies behind the end of the run.
func (w *world) waits(o *order) bool {
	h := w.hours[o.cmd.Operation]
	return h.shut && h.policy == worker.ParkClosed
}
