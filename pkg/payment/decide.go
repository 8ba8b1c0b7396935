package payment

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// ErrForbidden says that an observation cannot be applied in the payment's status: the caller must do
// something else first (look up instead of sending, wait for the command, ask a person).
var ErrForbidden = errors.New("not allowed in this status")

// Evidence is an observation as the table sees it: its kind, refined by what is already known about
// the payment.
type Evidence string

// The evidence that is not simply the observation's kind.
const (
	intendAgain     Evidence = "intend_again"     // Intend, after the provider said twice that it does not know the order
	refuseProven    Evidence = "refuse_proven"    // Refuse, after the provider said twice that it does not know the order
	paidAgain       Evidence = "paid_again"       // Paid, and everything in it is known already
	paidDifferently Evidence = "paid_differently" // Paid, with another amount or a further receipt than the outcome
	mismatch        Evidence = "mismatch"         // the provider echoes another amount than was ordered
	lagging         Evidence = "lagging"          // Unknown, too early after the request to be believed
	stale           Evidence = "stale"            // a bad result of an attempt that is not the last one
)

// Evidences lists all columns of the table.
func Evidences() []Evidence {
	return []Evidence{
		Evidence(Intend), intendAgain, Evidence(Park), Evidence(Refuse), refuseProven, Evidence(NotExecuted), Evidence(Unclear),
		Evidence(Accepted), Evidence(Paid), paidAgain, paidDifferently, mismatch, Evidence(Declined), Evidence(Unknown),
		lagging, stale, Evidence(TakenBack), Evidence(PersonSettled), Evidence(PersonFailed),
	}
}

// believedNotFound is how many believed "not found" answers allow the same order to be sent again.
const believedNotFound = 2

// Decide applies an observation to a payment and returns the payment as it stands then. changed is
// false when there is nothing new to write. It never looks at a clock: now is when the observation was
// made. An [ErrForbidden] leaves the payment as it was.
//
// An observation can need more than one step (a reversal of a payment whose settlement was missed
// settles it first): call Decide with the result until changed is false.
func Decide(p Payment, o Observation, now time.Time) (next Payment, changed bool, err error) {
	evidence := classify(p, o, now)
	move := table[p.Status][evidence]
	switch {
	case move == forbidden:
		return p, false, fmt.Errorf("%s on a payment that is %s: %w", evidence, p.Status, ErrForbidden)
	case move == stay:
		return p, false, nil
	}
	next = apply(p, o, evidence, Status(move), now)
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
	case Unknown:
		if now.Before(p.SubmittedAt.Add(o.Settling)) || p.NotFound > 0 && now.Before(p.NotFoundAt.Add(o.Settling)) {
			return lagging
		}
	case NotExecuted, Unclear, Declined:
		if o.Source == FromSubmit && o.Attempt != p.Attempts {
			return stale
		}
	}
	if echoDiffers(p, o) {
		return mismatch
	}
	if o.Kind == Paid && (p.Status == Settled || p.Status == Reversed) {
		if amount, receipts := paid(p, o); amount != p.SettledAmount || !slices.Equal(receipts, p.Receipts) {
			return paidDifferently
		}
		return paidAgain
	}
	return Evidence(o.Kind)
}

// provenUnknown reports whether a doubt ended with the provider's word that nothing was executed.
func provenUnknown(p Payment) bool {
	return p.Status == InDoubt && p.NotFound >= believedNotFound && !p.Known
}

// echoDiffers reports whether the provider speaks of another amount than was ordered. What arrived
// may differ from what was ordered; what the provider repeats as the order may not.
func echoDiffers(p Payment, o Observation) bool {
	switch o.Kind {
	case Accepted, Paid, Declined:
	default:
		return false
	}
	if !o.Amount.IsZero() && o.Amount != p.Amount {
		return true
	}
	for _, r := range o.Receipts {
		if r.Amount.Currency != p.Amount.Currency {
			return true
		}
	}
	return !o.SettledAmount.IsZero() && o.SettledAmount.Currency != p.Amount.Currency
}

// paid returns the settled amount and the receipts of p after the Paid observation o. Receipts are told
// apart by their reference, so that a receipt seen twice counts once.
func paid(p Payment, o Observation) (Money, []Receipt) {
	receipts := slices.Clone(p.Receipts)
	for _, r := range o.Receipts {
		at := slices.IndexFunc(receipts, func(known Receipt) bool { return known.Reference == r.Reference })
		if at < 0 {
			receipts = append(receipts, r)
		} else {
			receipts[at] = r
		}
	}
	switch {
	case len(receipts) > 0:
		var sum Money
		for _, r := range receipts {
			total, err := sum.Add(r.Amount)
			if err != nil { // an overflow: keep what the provider said in total, a person will look
				return o.SettledAmount, receipts
			}
			sum = total
		}
		if len(o.Receipts) == 0 && !o.SettledAmount.IsZero() {
			sum = o.SettledAmount
		}
		return sum, receipts
	case !o.SettledAmount.IsZero():
		return o.SettledAmount, nil
	case !p.SettledAmount.IsZero():
		return p.SettledAmount, nil
	default:
		return p.Amount, nil
	}
}

// apply fills the fields of the payment for its next status.
func apply(p Payment, o Observation, evidence Evidence, to Status, now time.Time) Payment {
	next := p
	next.Status, next.Reason, next.ResumeAt = to, o.Reason, time.Time{}
	if o.Reference != "" {
		next.ProviderReference = o.Reference
	}
	if providerSpoke(o) {
		next.Known = true
	}
	switch to {
	case Submitting:
		next.Attempts++
		next.SubmittedAt = now.UTC()
		next.NotFound, next.NotFoundAt, next.Action = 0, time.Time{}, nil
	case Parked:
		next.ResumeAt = o.ResumeAt.UTC()
	case InDoubt:
		applyDoubt(&next, p, o, evidence, now)
	case Pending:
		if o.Action != nil {
			next.Action = o.Action
		}
	default:
		next.Action = nil
	}
	switch {
	case o.Kind == Paid && (to == Settled || to == Conflict):
		next.SettledAmount, next.Receipts = paid(p, o)
	case evidence == Evidence(TakenBack) && to == Settled:
		next.SettledAmount = p.Amount
		next.Reason = &Reason{Code: ReasonReversalOfUnknown}
	case o.Kind == PersonSettled:
		next.SettledAmount = firstAmount(o.SettledAmount, p.SettledAmount, p.Amount)
	case o.Kind == PersonFailed:
		next.SettledAmount, next.Receipts = Money{}, nil
	}
	if next.Reason == nil {
		next.Reason = defaultReason(p, o, evidence, to)
	}
	return next
}

// applyDoubt keeps the first reason of a doubt, unless an amount that differs gives a worse one.
func applyDoubt(next *Payment, p Payment, o Observation, evidence Evidence, now time.Time) {
	if evidence == Evidence(Unknown) {
		next.NotFound++
		next.NotFoundAt = now.UTC()
	}
	if evidence == mismatch {
		next.Reason = nil // the default says what differs
	} else if p.Status == InDoubt {
		next.Reason = p.Reason
	}
	next.Action = nil
}

func providerSpoke(o Observation) bool {
	switch o.Kind {
	case Accepted, Paid, Declined, TakenBack:
		return true
	}
	return o.Known
}

// defaultReason explains a status whose observation brought no reason of its own.
func defaultReason(p Payment, o Observation, evidence Evidence, to Status) *Reason {
	switch {
	case evidence == mismatch:
		return &Reason{Code: ReasonAmountMismatch, Message: fmt.Sprintf("ordered %s, the provider speaks of %s", p.Amount, firstAmount(o.Amount, o.SettledAmount))}
	case to == Conflict && evidence == paidDifferently && len(o.Receipts) > 0:
		return &Reason{Code: ReasonExtraReceipt}
	case to == Conflict && evidence == paidDifferently:
		return &Reason{Code: ReasonAmountMismatch}
	case to == Conflict && p.Status == Conflict:
		return p.Reason
	case to == Conflict:
		return &Reason{Code: ReasonContradiction, Message: fmt.Sprintf("%s after %s", o.Kind, p.Status)}
	case evidence == Evidence(Unknown):
		return &Reason{Code: ReasonNotFound}
	case to == InDoubt:
		return &Reason{Code: ReasonUnclear}
	case to == Failed && o.Kind == Declined:
		return &Reason{Code: ReasonDeclined}
	case to == Reversed:
		return &Reason{Code: ReasonReversed}
	}
	return nil
}

func firstAmount(amounts ...Money) Money {
	for _, m := range amounts {
		if !m.IsZero() {
			return m
		}
	}
	return Money{}
}

// same reports whether nothing but the time would change.
func same(p, next Payment) bool {
	next.UpdatedAt = p.UpdatedAt
	return reflect.DeepEqual(p, next)
}
