package simulation

import (
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// maxSubmits is how often an order is sent at most without a person.
func maxSubmits(p worker.GiveUpPolicy) int {
	return max(p.MaxSubmits, 1)
}

// refuse answers a request with a code that no page gives a meaning. Sometimes the provider executes it all the same,
// and look-ups know it before the settling delay is over.
func (w *world) refuse(o *order, cmd payment.Command, sent time.Duration) error {
	w.note("provider refuses %s", o.ref.Order)
	o.refused = true
	if w.chance(refusedExecuted) {
		w.accept(o, cmd, sent).visible = max(w.now, sent+w.between(0, settling()-time.Second))
	}
	return &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "E999", Refused: true}
}

// judgeSending checks a request that leaves against the submit limit. What the provider documents as not executed
// does not count, also when its answer is lost.
func (w *world) judgeSending(o *order) {
	o.sent++
	if most := maxSubmits(w.limits.timeout[o.cmd.Operation]) + o.approvals; o.sent > most {
		w.problem("%s: sent %d times, and %d are allowed", o.ref.Order, o.sent, most)
	}
}

// countApproval counts what persons approve.
func (w *world) countApproval(before, p *payment.Payment) {
	if p.RetryApproved && !before.RetryApproved && code(*p) == payment.ReasonRetryApproved && p.Reason.By != "" {
		w.orderOf(p.Ref).approvals++
		w.happened[approves]++
	}
}

// judgeSubmits checks what the log says of the requests of an order.
func (w *world) judgeSubmits(o *order, history []payment.Payment) {
	limit := maxSubmits(w.limits.timeout[o.cmd.Operation])
	var before payment.Payment
	var first time.Time
	submits, approved := 0, false // the last request was approved
	for i, p := range history {
		switch {
		case p.Status == payment.Submitting:
			if submits == 0 && before.Status == payment.InDoubt { // it came back to life from parked: see [payment.Payment.Requests]
				if submits = before.Attempts; submits > 0 {
					first = before.SubmittedAt
				}
			}
			approved = before.RetryApproved || before.Status == payment.Parked && approved // it was not executed
			if submits >= limit && !approved {
				w.problem("%s: request %d without an approval", o.ref.Order, submits+1)
			}
			submits++
			if first.IsZero() {
				first = p.SubmittedAt
			}
		case before.Status == payment.Submitting && p.Status == payment.Parked:
			if submits--; submits == 0 {
				first = time.Time{}
			}
		}
		if p.Submits != submits || !p.FirstSubmittedAt.Equal(first) {
			w.problem("%s: event %d counts %d requests since %s, and there are %d since %s", o.ref.Order, i+1, p.Submits, p.FirstSubmittedAt, submits, first)
		}
		if p.RetryApproved && !before.RetryApproved && (code(p) != payment.ReasonRetryApproved || before.NotFound < 2 || before.Known) || p.RetryApproved && p.Status != payment.InDoubt {
			w.problem("%s: event %d is approved by nobody, or too early, or for ever", o.ref.Order, i+1)
		}
		before = p
	}
}

// stuck reports whether an order that the provider does not have stays in doubt for a person.
func (w *world) stuck(o *order, p payment.Payment) bool {
	limit := w.limits.timeout[p.Operation]
	atLimit := !p.RetryApproved && (p.Requests() >= maxSubmits(limit) || limit.GiveUpAfter > 0)
	return p.Status == payment.InDoubt && (o.unreadable && p.Known || atLimit) && !p.OverdueAt.IsZero()
}

// judgeFailed checks why a payment failed.
func (w *world) judgeFailed(o *order, before, p payment.Payment) {
	limit, right := w.limits.timeout[p.Operation], true
	switch code(p) {
	case payment.ReasonDeclined:
		right = o.rejected || o.deal != nil && (o.deal.state == payment.Declined || o.deal.contradicted) || w.leavesNoOrder(o, before)
	case payment.ReasonExpired:
		right = !o.cmd.ExpiresAt.IsZero()
	case payment.ReasonGaveUp:
		right = limit.GiveUpAfter > 0
	case payment.ReasonBreakerOpen, payment.ReasonAccountMisconfigured:
		right = limit.Down == worker.RejectDown
	case payment.ReasonCancelled, payment.ReasonAbandoned, payment.ReasonClosed: // see judgePage and judgeClosed
	default:
		right = false
	}
	if !right {
		w.problem("%s: failed by %q without a cause", o.ref.Order, code(p))
	}
}

// leavesNoOrder reports whether the provider promises that the refused request left nothing, and its look-ups have
// said so twice and late enough.
func (w *world) leavesNoOrder(o *order, before payment.Payment) bool {
	if !w.refusalLeavesNoOrder || !o.refused || o.deal != nil {
		return false
	}
	from := before.SubmittedAt.Sub(epoch) + settling() - 2*maxSkew
	// An answer counts from when the worker began to ask for it, and it may have been suspended before it did.
	believed, second := 0, from+settling()-2*maxSkew
	for _, at := range o.notFound {
		if at >= from {
			believed, from = believed+1, min(at+settling()-2*maxSkew, second)
		}
	}
	return believed >= 2
}
