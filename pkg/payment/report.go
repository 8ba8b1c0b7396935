package payment

import (
	"fmt"
	"slices"
	"time"
)

// Report is what a provider tells of a payment that ledgers book beside the amount. What it does not tell, and what cannot be
// read, is absent and never nothing.
type Report struct {
	// Fee is what the provider keeps of the whole payment, for Paid. Where it tells only the fees of transfers, they are added up.
	Fee Fee
	// CompletedAt is when the payment ended by the provider's own clock, in the zone in which it says so.
	CompletedAt time.Time
	// Unread says why something of that was told and cannot be used: an annotation of the outcome keeps it.
	Unread []Reason
}

// UnreadFee is the reason of a fee that was told and cannot be read. field is the provider's name of it.
func UnreadFee(field string) Reason {
	return Reason{Code: ReasonFeeUnreadable, Message: field + " is not an amount"}
}

// UnreadTime is the reason of a time of completion that was told and cannot be read. field is the provider's name of it.
func UnreadTime(field string) Reason {
	return Reason{Code: ReasonCompletionUnreadable, Message: field + " is not a time"}
}

// applyReport takes over what the provider tells with an outcome. A payment that a person failed has cost nothing, and of one
// that a person settled with another amount than the provider's no fee is known. In a conflict the first report of an amount
// stays: each other one would write an event, without end.
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
	unread := o.Report.Unread
	switch fee := feeOf(*next, o); {
	case o.Kind == Declined: // nothing moved of which anything could be kept
	case !fee.IsZero() && !fee.writable():
		next.Fee, unread = Fee{}, append(unread[:len(unread):len(unread)], UnreadFee("the fee"))
	default:
		next.Fee, next.Annotations = fee, withoutImpossibleFee(next.Annotations)
		if why := impossible(fee, firstAmount(next.SettledAmount, next.Amount)); why != "" {
			unread = append(unread[:len(unread):len(unread)], Reason{Code: ReasonFeeImpossible, Message: why})
		}
	}
	if _, err := o.Report.CompletedAt.MarshalJSON(); err != nil {
		unread = append(unread[:len(unread):len(unread)], UnreadTime("the time"))
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

// feeOf returns the fee of the payment after an observation: the whole, or the sum of its transfers' if that is known of each.
func feeOf(next Payment, o Observation) (total Fee) {
	if !o.Report.Fee.IsZero() {
		return o.Report.Fee
	}
	if len(o.Transfers) == 0 { // nothing new of it
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

// impossible returns why a fee cannot be that of a payment of an amount; "" where it can. It is recorded all the same, as the
// provider told it.
func impossible(fee Fee, of Money) string {
	switch {
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

// withoutImpossibleFee leaves out what was said of an earlier fee. The events before have it.
func withoutImpossibleFee(all []Annotation) []Annotation {
	was := func(a Annotation) bool { return a.Reason != nil && a.Reason.Code == ReasonFeeImpossible }
	if !slices.ContainsFunc(all, was) {
		return all
	}
	return slices.DeleteFunc(slices.Clone(all), was)
}

// FeeImpossible reports whether the fee contradicts the payment, see [ReasonFeeImpossible]: it is what the provider told, and nothing to
// book before the provider was asked.
func (p Payment) FeeImpossible() bool {
	return impossible(p.Fee, firstAmount(p.SettledAmount, p.Amount)) != ""
}

// ReportsMore reports whether an observation tells a fee or a time of completion of a payment with an outcome that its events do
// not have. A payment has one outcome, so it is not written any more.
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
