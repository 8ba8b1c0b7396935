package payment

import (
	"fmt"
	"slices"
	"time"
)

// Report is what a provider tells of a payment that ledgers book beside the amount. What it does not tell, and what cannot be
// read, is absent and never zero.
type Report struct {
	// Fee is what the provider keeps of the whole payment, for Paid. Where it tells only the fees of transfers, they are added up.
	Fee Fee
	// CompletedAt is when the payment ended by the provider's own clock, in the zone in which it says so.
	CompletedAt time.Time
	// Unread has a reason for each value that was told and cannot be used. Annotations of the outcome keep them.
	Unread []Reason
}

// UnreadFee is the reason of a fee that was told and cannot be read. field is the provider's name for it.
func UnreadFee(field string) Reason {
	return Reason{Code: ReasonFeeUnreadable, Message: field + " is not an amount"}
}

// UnreadTime is the reason of a completion time that was told and cannot be read. field is the provider's name for it.
func UnreadTime(field string) Reason {
	return Reason{Code: ReasonCompletionUnreadable, Message: field + " is not a time"}
}

// UnreadReference is the reason of a number that the provider told for the payment and that cannot be kept: it is longer than
// [MaxText], or an object or a list. field is the provider's name for it.
func UnreadReference(field string) Reason {
	return Reason{Code: ReasonReferenceUnreadable, Message: field + " is not a number that can be kept"}
}

// applyReport takes over what the provider tells with an outcome. A payment that a person failed cost no fee, and the fee of one
// that a person settled with another amount than the provider's is unknown. In a conflict the first report of an amount stays:
// each further one would write an event, without bound.
func applyReport(next *Payment, p Payment, o Observation, to Status, now time.Time) {
	switch _, _, possible := paid(p, o); {
	case o.Kind == ManuallyFailed, o.Kind == ManuallySettled && next.SettledAmount != p.SettledAmount:
		next.Fee, next.ProviderCompletedAt = Fee{}, time.Time{}
		next.Annotations = withoutImpossibleFee(next.Annotations)
		return
	case p.Status == Conflict && to == Conflict && next.SettledAmount == p.SettledAmount && !p.Fee.IsZero():
		return
	case o.Kind == Declined && to == Failed, o.Kind == Paid && (to == Settled || to == Conflict) && possible:
	default:
		return
	}
	unread := slices.Clip(o.Report.Unread) // append copies
	switch fee := feeOf(*next, o); {
	case o.Kind == Declined: // no money moved, so no fee was kept of it
	case !fee.IsZero() && !fee.writable():
		next.Fee, unread = Fee{}, append(unread, UnreadFee("the fee"))
	default:
		next.Fee, next.Annotations = fee, withoutImpossibleFee(next.Annotations)
		if why := next.impossibleFee(); why != "" {
			unread = append(unread, Reason{Code: ReasonFeeImpossible, Message: why})
		}
	}
	if _, err := o.Report.CompletedAt.MarshalJSON(); err != nil {
		unread = append(unread, UnreadTime("the time"))
	} else if !o.Report.CompletedAt.IsZero() && (p.Status != Conflict || p.ProviderCompletedAt.IsZero()) {
		next.ProviderCompletedAt = o.Report.CompletedAt
	}
	if o.Source != FromWebhook && o.Source != FromLookup && o.Source != FromStatement {
		return
	}
	for _, why := range unread {
		next.Annotations = annotated(next.Annotations, Annotation{At: now.UTC(), Source: o.Source, Kind: o.Kind, Reason: &why})
	}
}

// feeOf returns the fee of the payment after an observation: that of the whole, or the sum of its transfers' fees if each is known.
func feeOf(next Payment, o Observation) (total Fee) {
	if !o.Report.Fee.IsZero() {
		return o.Report.Fee
	}
	if len(o.Transfers) == 0 { // no fee was told
		return next.Fee
	}
	for _, t := range next.Transfers {
		sum, ok := total.Add(t.Fee)
		if t.Fee.IsZero() || !ok {
			return Fee{}
		}
		total = sum
	}
	return total
}

// impossibleFee returns why the fee cannot be that of the payment's amount; "" where it can. The fee is recorded all the same, as
// the provider told it.
func (p Payment) impossibleFee() string {
	switch fee, of := p.Fee, firstAmount(p.SettledAmount, p.Amount); {
	case fee.IsZero():
		return ""
	case fee.Currency != of.Currency:
		return fmt.Sprintf("a fee of %s for %s", fee, of)
	case fee.Hundredths < 0:
		return "a fee of " + fee.String()
	case fee.Exceeds(of):
		return fmt.Sprintf("a fee of %s is more than %s", fee, of)
	}
	return ""
}

// withoutImpossibleFee leaves out the annotation of an earlier fee. Earlier events keep it.
func withoutImpossibleFee(all []Annotation) []Annotation {
	was := func(a Annotation) bool { return a.Reason != nil && a.Reason.Code == ReasonFeeImpossible }
	if !slices.ContainsFunc(all, was) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), was)
}

// FeeImpossible reports whether the fee contradicts the payment, see [ReasonFeeImpossible]: the provider told it, and it must not be
// booked before the provider has confirmed it.
func (p Payment) FeeImpossible() bool { return p.impossibleFee() != "" }

// ReportsMore reports whether an observation tells a fee or a completion time that a settled payment lacks. An outcome is written
// once, so it is not added.
func (p Payment) ReportsMore(o Observation) bool {
	if p.Status != Settled || o.Kind != Paid {
		return false
	}
	known := func(t Transfer) bool {
		return t.Fee.IsZero() || slices.ContainsFunc(p.Transfers, func(k Transfer) bool { return k.Reference == t.Reference && k.Fee == t.Fee })
	}
	another := slices.ContainsFunc(o.Transfers, func(t Transfer) bool { return !known(t) })
	if whole := o.Report.Fee; !whole.IsZero() {
		another = whole != p.Fee
	}
	return another || p.ProviderCompletedAt.IsZero() && !o.Report.CompletedAt.IsZero()
}
