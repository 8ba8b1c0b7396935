package payment

import (
	"fmt"
	"slices"
	"time"
)

// apply fills the fields of the payment for its next status.
func apply(p Payment, o Observation, evidence Evidence, to Status, now time.Time) Payment {
	if o.Kind == Accepted && noInstructions(o.Reason) && !unpayable(p, o) {
		o.Reason = nil
	}
	next := p
	next.Status, next.Reason, next.ResumeAt = to, reason(p, o, evidence, to), time.Time{}
	next.RetryApproved, next.Refused = false, false
	if o.Reference != "" && (p.ProviderReference == "" || !o.OneReference) { // the first stays, see secondReference
		next.ProviderReference = o.Reference
	}
	if providerSpoke(o) {
		next.Known = true
	}
	if to != Pending && to != InDoubt {
		next.OverdueAt = time.Time{}
	} else if o.Kind == Overdue {
		next.OverdueAt = now.UTC()
	}
	next.WithheldAction = withheld(p, o, evidence, to)
	switch to {
	case Submitting:
		next.Attempts++
		next.Submits = p.Requests() + 1
		next.SubmittedAt = now.UTC()
		if next.FirstSubmittedAt = p.FirstSubmittedAt; next.Submits == 1 {
			next.FirstSubmittedAt = next.SubmittedAt
		} else if next.FirstSubmittedAt.IsZero() {
			next.FirstSubmittedAt = p.SubmittedAt
		}
		next.NotFound, next.NotFoundAt, next.Action, next.PageClosesAt = 0, time.Time{}, nil, time.Time{}
	case Parked:
		if evidence == Evidence(NotExecuted) {
			if next.Submits = max(p.Requests()-1, 0); next.Submits == 0 { // nothing can have reached the provider
				next.FirstSubmittedAt = time.Time{}
			}
		}
		if evidence == Evidence(NotExecuted) && o.Withdrawn {
			next.Attempts--
		}
		next.ResumeAt = o.ResumeAt.UTC()
		if o.ResumeAt.IsZero() {
			next.ResumeAt = now.UTC() // no wait is asked for
		}
	case InDoubt:
		next.Action = nil
		next.RetryApproved = evidence == retryProven || p.RetryApproved
		next.Refused = p.Refused || o.Source == FromSubmit && o.Refused && p.Requests() == 1
		if evidence == Evidence(Unknown) && !p.Known {
			next.NotFound, next.NotFoundAt = p.NotFound+1, now.UTC()
		}
	case Pending:
		done := o.Action == nil && o.ActionDone != nil && o.ActionDone.Same(p.Action)
		if done || o.Action != nil && !o.Action.Same(p.Action) {
			next.Action = o.Action
		}
	default:
		next.Action = nil
	}
	applyPage(&next, o, evidence, to, now)
	next.Evidence = heard(p, o, evidence, to)
	if a, extra := annotation(p, o, evidence, to, now); extra {
		next.Annotations = annotated(p.Annotations, a)
	}
	applyAmounts(&next, p, o, evidence, to)
	applyReport(&next, p, o, to, now)
	return next
}

// withheld returns the action that a doubt about the amount keeps from the customer.
func withheld(p Payment, o Observation, evidence Evidence, to Status) *Action {
	switch {
	case to != InDoubt:
		return nil
	case evidence == mismatch && o.Action != nil:
		for _, known := range []*Action{p.WithheldAction, p.Action} { // which may be stored already
			if o.Action.Same(known) {
				return known
			}
		}
		return o.Action
	case evidence == mismatch && p.Action != nil:
		return p.Action
	}
	return p.WithheldAction
}

// heard adds what the provider says to what it has said of a payment in conflict.
func heard(p Payment, o Observation, evidence Evidence, to Status) []Kind {
	if to != Conflict {
		return nil
	}
	all := slices.Clone(p.Evidence)
	if evidence != Evidence(Indeterminate) && evidence != firstHeard {
		all = append(all, o.Kind)
	}
	switch {
	case p.Status == Settled:
		all = append(all, Paid)
	case p.Status == Reversed:
		all = append(all, Paid, Reversal)
	case p.Status == Failed && p.Known:
		all = append(all, Declined)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// applyAmounts says what moved.
func applyAmounts(next *Payment, p Payment, o Observation, evidence Evidence, to Status) {
	switch {
	case o.Kind == Paid && (to == Settled || to == Conflict):
		if amount, transfers, possible := paid(p, o); possible {
			next.SettledAmount, next.Transfers = amount, transfers
		}
	case evidence == Evidence(Reversal) && to == Settled:
		next.SettledAmount = p.Amount
	case o.Kind == ManuallySettled:
		next.SettledAmount = firstAmount(o.SettledAmount, p.SettledAmount, p.Amount)
	case o.Kind == ManuallyFailed:
		next.SettledAmount, next.Transfers = Money{}, nil
	}
}

// providerSpoke reports whether o shows that the provider has the order.
func providerSpoke(o Observation) bool {
	switch o.Kind {
	case Accepted:
		return !pageLink(o)
	case Paid, Declined, Reversal, PartialReversal:
		return true
	case Indeterminate: // a webhook is about an order that the provider has, even when it is unrecognised
		return o.Known || o.Source == FromWebhook
	case NotExecuted:
		return o.Known
	}
	return false
}

// reason says why the payment goes to a status. A conflict and a differing amount are named as such,
// a doubt keeps its first reason, and else the observation's own reason stands.
func reason(p Payment, o Observation, evidence Evidence, to Status) *Reason {
	switch {
	case to == Conflict && p.Status == Conflict:
		return p.Reason
	case to == InDoubt && waitsForPerson(p):
		return p.Reason
	case evidence == secondReference:
		return because(ReasonSecondReference, fmt.Sprintf("%s of %s, known as %s", o.Kind, o.Reference, p.ProviderReference), o.Reason)
	case evidence == abandoned:
		return because(ReasonAbandoned, "the page closed "+p.PageClosesAt.UTC().Format(time.RFC3339), o.Reason)
	case evidence == Evidence(PartialReversal):
		return because(ReasonPartlyReversed, "", o.Reason)
	case evidence == mismatch:
		return because(ReasonAmountMismatch, fmt.Sprintf("ordered %s, the provider reports %s", p.Amount, spokenOf(p, o)), o.Reason)
	case evidence == paidDifferently && to == Conflict && len(o.Transfers) > 0:
		return because(ReasonExtraTransfer, "", o.Reason)
	case evidence == paidDifferently && to == Conflict:
		return because(ReasonAmountMismatch, fmt.Sprintf("settled %s, the provider reports %s", p.SettledAmount, o.SettledAmount), o.Reason)
	case to == Conflict:
		return because(ReasonContradiction, fmt.Sprintf("%s after %s", o.Kind, p.Status), o.Reason)
	case evidence == retryProven, o.Kind == Overdue && o.Reason != nil && p.Status == InDoubt && !p.amountDoubted():
		return of(o.Reason, p.Reason)
	case to == InDoubt && p.Status == InDoubt:
		return p.Reason
	case evidence == Evidence(Indeterminate) && to == Pending: // its annotation has the reason
		return p.Reason
	case noInstructions(p.Reason) && o.Action != nil && o.Reason == nil: // now the customer can pay
		return nil
	case to == Pending && p.told() && (o.Reason == nil || noInstructions(o.Reason)): // the same answer again is no news
		return p.Reason
	case evidence == Evidence(Reversal) && to == Settled:
		return because(ReasonReversalOfUnknown, "", o.Reason)
	case o.Reason != nil:
		return o.Reason
	}
	if code := defaultCodes[evidence]; code != "" {
		return &Reason{Code: code}
	}
	return nil
}

// told reports whether a pending payment has the reason for which a person was told of it.
func (p Payment) told() bool {
	return p.Status == Pending && p.Reason != nil && (p.Reason.Code == ReasonOverdue || p.Reason.Code == ReasonUnexplained || noInstructions(p.Reason))
}

// unpayable reports whether the provider has a deposit whose customer was never told how to pay it. Only a provider
// that says so in the answer to the create request, and nowhere else, gives that reason.
func unpayable(p Payment, o Observation) bool {
	return o.Kind == Accepted && noInstructions(o.Reason) && p.Operation == Deposit && p.Action == nil && o.Action == nil
}

func noInstructions(r *Reason) bool { return r != nil && r.Code == ReasonNoInstructions }

// defaultCodes are the reasons of observations that bring none.
var defaultCodes = map[Evidence]string{
	Evidence(Park): ReasonNotExecuted, Evidence(NotExecuted): ReasonNotExecuted, Evidence(Refuse): ReasonInvalid, refuseProven: ReasonNotFound, unconfirmed: ReasonNotFound, firstHeard: ReasonIndeterminate,
	Evidence(Indeterminate): ReasonIndeterminate, Evidence(Unknown): ReasonNotFound, Evidence(Declined): ReasonDeclined,
	Evidence(Reversal): ReasonReversed, Evidence(Overdue): ReasonOverdue, Evidence(ManuallySettled): ReasonResolvedByPerson, Evidence(ManuallyFailed): ReasonResolvedByPerson,
}

// of returns our reason with the provider's code of the doubt that it is about.
func of(ours, doubt *Reason) *Reason {
	r := *ours
	if doubt != nil && r.ProviderCode == "" {
		r.ProviderCode = doubt.ProviderCode
	}
	return &r
}

// because returns our reason with the provider's own code and text, if it gave any.
func because(code, message string, given *Reason) *Reason {
	r := &Reason{Code: code, Message: message}
	if given == nil {
		return r
	}
	r.ProviderCode = given.ProviderCode
	if message != "" && given.Message != "" {
		r.Message += ": "
	}
	r.Message += given.Message
	return r
}

// spokenOf names the money that made a mismatch.
func spokenOf(p Payment, o Observation) string {
	switch _, _, possible := paid(p, o); {
	case possible:
		return o.Amount.String()
	case !o.SettledAmount.IsZero() && !arrives(p, o.SettledAmount):
		return o.SettledAmount.String()
	}
	for _, r := range o.Transfers {
		if !arrives(p, r.Amount) {
			return "a transfer of " + r.Amount.String()
		}
	}
	return "transfers that are too large to add"
}

func firstAmount(amounts ...Money) Money {
	for _, m := range amounts {
		if !m.IsZero() {
			return m
		}
	}
	return Money{}
}
