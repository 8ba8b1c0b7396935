package reconcile

import (
	"fmt"
	"slices"
	"time"

	"payonce/pkg/payment"
)

// Rules say what is compared, and what is believed.
type Rules struct {
	Provider string
	// Interval holds the payments that are judged: by when the provider made them, and those that its statement does not
	// have by when we sent them last.
	Interval
	// Margin is how far apart the provider's time of a payment and ours can be: clocks differ, and requests take
	// time. At the ends of what the statement covers nothing is said to be missing there.
	Margin time.Duration
	// Grace is how long a change takes to be known to both sides. What changed later than that before the statement was
	// read is noted, not judged.
	Grace time.Duration
	// OneReference says that the provider has one number for an order, for ever, see [connectors.Traits].
	OneReference bool
}

// verdicts say what it means that our log has one status and the provider's statement has another: empty agrees. What is
// missing is indeterminate.
var verdicts = map[payment.Status]map[payment.Kind]FindingKind{
	payment.Settled: {
		payment.Accepted: OpenThere, payment.Paid: "", payment.Declined: DeclinedThere, payment.Reversal: ReversalThere, payment.PartialReversal: ReversalThere,
	},
	payment.Reversed: {
		payment.Accepted: OpenThere, payment.Paid: PaidThere, payment.Declined: DeclinedThere, payment.Reversal: "", payment.PartialReversal: PaidThere,
	},
	payment.Failed: {
		payment.Accepted: OpenThere, payment.Paid: PaidThere, payment.Declined: "", payment.Reversal: ReversalThere, payment.PartialReversal: PaidThere,
	},
	payment.Parked: { // nothing was sent, as far as we know
		payment.Accepted: OpenThere, payment.Paid: FinalThere, payment.Declined: FinalThere, payment.Reversal: FinalThere, payment.PartialReversal: FinalThere,
	},
	payment.Submitting: open, payment.InDoubt: open, payment.Pending: open, payment.Conflict: open,
}

var open = map[payment.Kind]FindingKind{
	payment.Accepted: "", payment.Paid: FinalThere, payment.Declined: FinalThere, payment.Reversal: FinalThere, payment.PartialReversal: FinalThere,
}

// present judges a payment that the provider's statement has. ours is nil when our log has none.
func (r Rules) present(theirs []line, ours *payment.Payment, asOf time.Time) []Finding {
	live := slices.DeleteFunc(slices.Clone(theirs), func(l line) bool { return l.kind == payment.Declined })
	key := theirs[0].key
	var found []Finding
	report := func(kind FindingKind, lines []line, detail string) {
		f := Finding{Kind: kind, Order: key.order, Operation: key.operation, Theirs: theirSides(lines), Detail: detail}
		if ours != nil {
			f.Ours = ourSide(*ours)
		}
		found = append(found, f)
	}
	if len(live) > 1 {
		report(ChargedTwice, theirs, "")
	}
	if ours == nil {
		report(MissingHere, theirs, "")
		return found
	}
	if ours.Operation != key.operation {
		report(MissingHere, theirs, fmt.Sprintf("our order with this number is a %s", ours.Operation))
		return found
	}
	l, meant := counterpart(theirs, live, *ours)
	if !meant {
		return found
	}
	one := []line{l}
	if r.OneReference && l.reference != "" && ours.ProviderReference != "" && l.reference != ours.ProviderReference {
		report(ReferenceDiffers, one, "")
	}
	kind, detail := differs(l, *ours)
	amount := amountDiffers(l, *ours)
	switch {
	case kind == Indeterminate:
		report(Indeterminate, one, detail)
	case kind == "" && amount == "":
	case r.moving(l, *ours, asOf):
		report(Moving, one, "")
		return found
	case kind != "":
		report(kind, one, detail)
	}
	if amount != "" {
		report(AmountDiffers, one, amount)
	}
	return found
}

// counterpart returns the line that is about our payment: of those that were not declined the only one, or else the
// one with the number that we know. Declined ones count when there are no others.
func counterpart(all, live []line, ours payment.Payment) (line, bool) {
	if len(live) == 1 {
		return live[0], true
	}
	among := live
	if len(live) == 0 {
		among = all
	}
	known := slices.IndexFunc(among, func(l line) bool { return l.reference != "" && l.reference == ours.ProviderReference })
	switch {
	case known >= 0:
		return among[known], true
	case len(live) == 0:
		return all[0], true
	}
	return line{}, false
}

// differs compares the statuses.
func differs(l line, ours payment.Payment) (FindingKind, string) {
	kind, documented := verdicts[ours.Status][l.kind]
	if !documented {
		return Indeterminate, "the provider's statement has an unknown status for it"
	}
	if kind == "" && l.kind == payment.Paid && l.amount.IsZero() && l.settled.IsZero() {
		return Indeterminate, "the provider's statement says paid, without an amount"
	}
	return kind, ""
}

// amountDiffers compares what both say was ordered, and what both say was paid. It returns what differs.
func amountDiffers(l line, ours payment.Payment) string {
	if !l.amount.IsZero() && !ours.Amount.IsZero() && l.amount != ours.Amount {
		return fmt.Sprintf("ordered: %s with us, %s there", ours.Amount, l.amount)
	}
	paid := l.settled
	if paid.IsZero() {
		paid = l.amount
	}
	if ours.Status == payment.Settled && l.kind == payment.Paid && !paid.IsZero() && paid != ours.SettledAmount {
		return fmt.Sprintf("paid: %s with us, %s there", ours.SettledAmount, paid)
	}
	return ""
}

// moving reports whether one of the two changed so late that the other need not know yet. A time of theirs that
// lies in the future proves nothing.
func (r Rules) moving(l line, ours payment.Payment, asOf time.Time) bool {
	late := asOf.Add(-r.Grace)
	return ours.UpdatedAt.After(late) || l.completed.After(late) && !l.completed.After(asOf.Add(r.Grace))
}

// absent judges a payment of ours that the provider's statement does not have. first is when it was sent for the first time.
func (r Rules) absent(ours payment.Payment, first time.Time, b *Statement) (Finding, bool) {
	f := Finding{Order: ours.Order, Operation: ours.Operation, Ours: ourSide(ours)}
	switch ours.Status {
	case payment.Settled, payment.Reversed:
		f.Kind = MissingThere
	case payment.Failed, payment.Parked:
		return f, false // nothing to be there
	default:
		f.Kind = OpenHere
		return f, true
	}
	switch last := sentAt(ours); {
	case ours.UpdatedAt.After(b.AsOf.Add(-r.Grace)):
		f.Kind = Moving
	case !r.covers(b, last):
		f.Kind = NotCovered
	case !r.covers(b, first):
		f.Kind, f.Detail = Indeterminate, fmt.Sprintf("first sent at %s, which the statement does not cover", first.UTC().Format(time.RFC3339))
	}
	return f, true
}

// covers reports whether the statement has every payment that the provider made when we sent it at t, give or take the
// margin.
func (r Rules) covers(b *Statement, t time.Time) bool {
	return !t.Add(-r.Margin).Before(b.Covered.From) && !t.Add(r.Margin).After(b.Covered.To)
}

// sentAt is when a payment was sent last. One that came back to life without being sent by us is as old as what is
// written of it.
func sentAt(p payment.Payment) time.Time {
	if p.SubmittedAt.IsZero() {
		return p.UpdatedAt
	}
	return p.SubmittedAt
}
