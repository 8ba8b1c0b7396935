package payment

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrForbidden says that an observation cannot be applied in the payment's status: the caller must do
// something else first (look up instead of sending, wait for the command, ask a person).
var ErrForbidden = errors.New("not allowed in this status")

// forbiddenError is an [ErrForbidden] whose text is made when it is read: workers often only ask whether a request may be made.
type forbiddenError struct {
	evidence Evidence
	status   Status
}

func (e forbiddenError) Error() string {
	return fmt.Sprintf("%s on a payment that is %s: %s", e.evidence, e.status, ErrForbidden)
}

func (e forbiddenError) Unwrap() error { return ErrForbidden }

// Evidence is an observation as the table sees it: its kind, refined by what is already known about
// the payment.
type Evidence string

// The evidence that is not simply the observation's kind.
const (
	intendAgain     Evidence = "intend_again"     // Intend, after the provider said twice that it does not know the order
	retryProven     Evidence = "retry_proven"     // ApproveRetry, after the provider said twice that it does not know the order
	refuseProven    Evidence = "refuse_proven"    // Refuse, after the provider said twice that it does not know the order
	paidAgain       Evidence = "paid_again"       // Paid, and everything in it is known already
	paidDifferently Evidence = "paid_differently" // Paid, with another amount or a further transfer than the outcome
	mismatch        Evidence = "mismatch"         // the provider echoes another amount than was ordered, or money that cannot be this order's
	lagging         Evidence = "lagging"          // Unknown, too early after the request, the last Unknown or the end of the customer's page to be believed
	stale           Evidence = "stale"            // a bad result of an attempt that is not the last one
	unconfirmed     Evidence = "unconfirmed"      // Unknown, long after the customer's page closed, if the provider never named the payment
	abandoned       Evidence = "abandoned"        // unconfirmed, once more, after another settling delay: the payment was not confirmed, and cannot be any more
	firstHeard      Evidence = "first_heard"      // Indeterminate, and the first that the provider says of a payment whose customer was given a page
	secondReference Evidence = "second_reference" // the provider has another number for the order than before, where an order has one: perhaps two payments
)

// Evidences lists all columns of the table.
func Evidences() []Evidence {
	return []Evidence{
		Evidence(Intend), intendAgain, Evidence(Park), Evidence(Refuse), refuseProven, Evidence(NotExecuted), Evidence(Indeterminate), firstHeard,
		Evidence(Accepted), Evidence(Paid), paidAgain, paidDifferently, mismatch, Evidence(Declined), Evidence(Unknown),
		lagging, unconfirmed, abandoned, stale, Evidence(Reversal), Evidence(PartialReversal), secondReference, Evidence(Overdue),
		Evidence(ApproveRetry), retryProven, Evidence(ManuallySettled), Evidence(ManuallyFailed),
	}
}

// believedNotFound is how many believed "not found" answers allow the same order to be sent again.
const believedNotFound = 2

// Decide applies an observation to a payment and returns the payment with its new state. changed is
// false when there is nothing new to write. It never looks at a clock: now is when the observation was
// made. An [ErrForbidden] leaves the payment as it was.
//
// An observation can need more than one step (a reversal of a payment whose settlement was missed
// settles it first): call Decide with the result until changed is false. What may be done only once
// (Intend, Refuse, Overdue, a person's decision) is then answered with [ErrForbidden], which changes nothing.
func Decide(p Payment, o Observation, now time.Time) (next Payment, changed bool, err error) {
	evidence := classify(p, o, now)
	move := table[p.Status][evidence]
	switch {
	case move == forbidden:
		return p, false, forbiddenError{evidence, p.Status}
	case move == stay:
		return p, false, nil
	}
	if o.Kind == Overdue {
		now = p.toldAt(now)
	}
	next = apply(p, o, evidence, Status(move), now)
	if next.Status == Settled && next.SettledAmount.IsZero() { // a person settles a payment that never had an amount
		return p, false, fmt.Errorf("%s without an amount: %w", evidence, ErrForbidden)
	}
	if same(p, next) {
		return p, false, nil
	}
	next.Revision = p.Revision + 1
	next.UpdatedAt = now.UTC()
	return next, true, nil
}

// classify refines the observation's kind by what is known about the payment.
func classify(p Payment, o Observation, now time.Time) Evidence {
	switch o.Kind {
	case Intend:
		if provenUnknown(p) {
			return intendAgain
		}
	case Refuse:
		if provenUnknown(p) {
			return refuseProven
		}
	case ApproveRetry:
		if provenUnknown(p) {
			return retryProven
		}
	case Unknown:
		// One answer counts once: at the same instant it is the same answer.
		again := p.NotFound > 0 && (!now.After(p.NotFoundAt) || now.Before(p.NotFoundAt.Add(o.Settling)))
		if again || now.Before(p.SubmittedAt.Add(o.Settling)) {
			return lagging
		}
		if p.AwaitsPage() {
			return pageEvidence(p, o, now)
		}
	case NotExecuted, Indeterminate, Declined:
		if o.Source == FromSubmit && o.Attempt != p.Attempts {
			return stale
		}
		if o.Kind != Declined && p.AwaitsPage() && providerSpoke(o) {
			return firstHeard
		}
		if o.Kind == NotExecuted && o.Known { // nothing executed, and yet the provider has the order
			return Evidence(Indeterminate)
		}
	}
	switch {
	case (providerSpoke(o) || pageLink(o)) && waitsForPerson(p):
		return Evidence(Indeterminate)
	case providerSpoke(o) && o.OneReference && o.Reference != "" && p.ProviderReference != "" && o.Reference != p.ProviderReference:
		return secondReference
	case stillUnpayable(p, o), o.Kind == Accepted && saidPaid(p):
		return Evidence(Indeterminate)
	}
	if echoDiffers(p, o) {
		return mismatch
	}
	if o.Kind == Paid && p.amountDoubted() && o.Amount.IsZero() && o.SettledAmount.IsZero() && len(o.Transfers) == 0 {
		return Evidence(Indeterminate) // paid, but how much is what is in doubt
	}
	if o.Kind == Paid && (p.Status == Settled || p.Status == Reversed) {
		// Transfers are compared by themselves: a person may have settled on another amount than their sum.
		amount, transfers, _ := paid(p, o)
		if !slices.EqualFunc(transfers, p.Transfers, Transfer.same) || len(o.Transfers) == 0 && amount != p.SettledAmount {
			return paidDifferently
		}
		return paidAgain
	}
	return Evidence(o.Kind)
}

// amountDoubted reports whether a payment is in doubt because the provider spoke of another amount.
func (p Payment) amountDoubted() bool {
	return p.Status == InDoubt && p.Reason != nil && p.Reason.Code == ReasonAmountMismatch
}

// saidPaid reports whether a payment is in doubt because the provider said that another amount was paid. That the
// payment is open when the provider is asked does not take that back.
func saidPaid(p Payment) bool {
	return p.amountDoubted() && slices.ContainsFunc(p.Annotations, func(a Annotation) bool { return a.Kind == Paid })
}

// waitsForPerson reports whether a doubt is one that nothing from the provider can end: whatever it says
// may be said of the other of two payments, or of what was there before part of it went back.
func waitsForPerson(p Payment) bool {
	return p.Status == InDoubt && p.Reason != nil &&
		(p.Reason.Code == ReasonSecondReference || p.Reason.Code == ReasonPartlyReversed)
}

// stillUnpayable reports whether the provider only repeats that it has a payment of which the customer was never
// told how to pay it. As pending, no person would be told of it for long, and nothing could happen to it.
func stillUnpayable(p Payment, o Observation) bool {
	return o.Kind == Accepted && o.Action == nil && p.Status == InDoubt && noInstructions(p.Reason)
}

// provenUnknown reports whether a doubt ended with the provider's word that nothing was executed.
func provenUnknown(p Payment) bool {
	return p.Status == InDoubt && p.NotFound >= believedNotFound && !p.Known
}

// echoDiffers reports whether the provider reports another amount than was ordered, or money that
// cannot be this order's. What arrived may differ from what was ordered; what the provider repeats as
// the order may not.
func echoDiffers(p Payment, o Observation) bool {
	switch o.Kind {
	case Accepted, Paid, Declined, Reversal:
		_, _, possible := paid(p, o)
		return !possible || !o.Amount.IsZero() && !echoes(p, o)
	}
	return false
}

// echoes reports whether the amount that the provider repeats is the ordered one, within the observation's tolerance.
func echoes(p Payment, o Observation) bool {
	difference := o.Amount.Minor - p.Amount.Minor
	return o.Amount == p.Amount ||
		o.Amount.Currency == p.Amount.Currency && o.Amount.Minor > 0 && max(difference, -difference) <= o.AmountTolerance
}

// paid returns the settled amount and the transfers of p after the Paid observation o. Transfers are told
// apart by their reference, so that a transfer seen twice counts once. possible is false when the money
// cannot be this order's: another currency, nothing or less, or more than an amount can hold.
func paid(p Payment, o Observation) (amount Money, transfers []Transfer, possible bool) {
	if !o.SettledAmount.IsZero() && !arrives(p, o.SettledAmount) {
		return Money{}, nil, false
	}
	transfers = slices.Clone(p.Transfers)
	for _, r := range o.Transfers {
		if !arrives(p, r.Amount) {
			return Money{}, nil, false
		}
		if !r.Fee.writable() { // an event with it could not be written
			r.Fee = Fee{}
		}
		at := slices.IndexFunc(transfers, func(known Transfer) bool { return known.Reference == r.Reference })
		if at < 0 {
			transfers = append(transfers, r)
			continue
		}
		if known := transfers[at]; !known.Fee.IsZero() && known.Amount == r.Amount || r.Fee.IsZero() { // the first fee of an amount stays
			r.Fee = known.Fee
		}
		transfers[at] = r
	}
	switch {
	case len(o.Transfers) == 0 && !o.SettledAmount.IsZero():
		return o.SettledAmount, transfers, true
	case len(transfers) > 0:
		return sum(transfers)
	default:
		return firstAmount(p.SettledAmount, p.Amount), transfers, true
	}
}

func arrives(p Payment, m Money) bool {
	return m.Currency == p.Amount.Currency && m.Minor > 0 && m.writable()
}

func sum(transfers []Transfer) (Money, []Transfer, bool) {
	var total Money
	for _, r := range transfers {
		next, err := total.Add(r.Amount)
		if err != nil {
			return Money{}, nil, false
		}
		total = next
	}
	return total, transfers, true
}
