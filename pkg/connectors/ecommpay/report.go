package ecommpay

import (
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/masking"
	"payonce/pkg/payment"
)

// report is what a callback or a lookup says about one payment.
type report struct {
	status        string // of the payment
	operation     string // type of the operation that it reports; empty when it does not say
	outcome       string // status of that operation
	code, message string
	reference     string // number of the operation, if it is the payment itself
	amount        payment.Money
	settled       payment.Money
	succeeded     []node // operations of a look-up that are the payment itself
	completed     string // when that operation ended
	retry         bool   // the customer may try again within this payment
	action        *payment.Action
	problem       string        // why nothing of it can be believed
	mismatch      string        // why the amounts cannot be believed
	other         payment.Money // of a mismatch, if it is known not to be what was ordered
}

// number is that of the operation; empty where it cannot be kept.
func (r report) number() string { return connectors.Reference(r.reference) }

// observe says what a report means. Everything that is not documented, or contradicts itself, is indeterminate.
func observe(source payment.Source, r report) payment.Observation {
	o := payment.Observation{Source: source, Reference: r.number(), Amount: r.amount, Kind: paymentStatuses[plain(r.status)]}
	reason := payment.Reason{ProviderCode: masking.Code(r.code), Message: masking.Text(r.message, payment.Command{})}
	switch problem := r.contradiction(o.Kind); {
	case problem != "":
		return doubtful(source, r, payment.ReasonIndeterminate, problem)
	case r.mismatch != "" && o.Kind == payment.Paid && !r.other.IsZero(): // for [payment.Decide] to see
		o.Amount, reason.Message = r.other, r.mismatch
		o.Reason = &reason
		return o
	case r.mismatch != "" && o.Kind == payment.Paid:
		return doubtful(source, r, payment.ReasonAmountMismatch, r.mismatch)
	case r.mismatch != "":
		return doubtful(source, r, payment.ReasonIndeterminate, r.mismatch)
	}
	switch o.Kind {
	case payment.Accepted:
		o.Action = r.action
	case payment.Paid:
		o.SettledAmount, o.Report = r.settled, r.ended()
	case payment.Declined:
		if r.retry { // en_PP_Try_Again: the end comes when no attempt is left
			o.Kind = payment.Accepted
			return o
		}
		reason.Code = payment.ReasonDeclined
		o.Reason, o.Report = &reason, r.ended()
	case payment.Reversal, payment.PartialReversal:
		reason.Code = payment.ReasonReversed
		if o.Kind == payment.PartialReversal {
			reason.Code = payment.ReasonPartlyReversed
		}
		o.Reason, o.Amount = &reason, payment.Money{} // of what was reversed
	}
	return o
}

// ended is when the payment's operation ended: its date, which stands beside the date on which it was created (Korean banks page).
// The provider tells no fee of this method.
func (r report) ended() (told payment.Report) {
	if r.reference != "" && r.number() == "" {
		told.Unread = append(told.Unread, payment.UnreadReference("the operation's id"))
	}
	if r.completed == "" {
		return told
	}
	at, ok := wireTime(r.completed)
	if !ok || !at.After(time.Time{}) {
		told.Unread = append(told.Unread, payment.UnreadTime("the operation's date"))
		return told
	}
	told.CompletedAt = at.UTC()
	if _, offset := at.Zone(); offset != 0 { // in the zone of the text, whatever that is called on this machine
		told.CompletedAt = at.In(time.FixedZone("", offset))
	}
	return told
}

// contradiction returns why a report does not mean what its status says, or nothing.
func (r report) contradiction(means payment.Kind) string {
	does, settles := operationTypes[plain(r.operation)], true
	if r.operation != "" {
		settles = does == payment.Paid
	}
	switch {
	case r.problem != "":
		return r.problem
	case means == "":
		return "no page documents this status"
	case means == payment.Indeterminate:
		return "the provider is not sure, or part of the money is elsewhere"
	case means == payment.Paid && !settles, means == payment.Declined && !settles:
		return "this operation is not the payment itself"
	case means == payment.Paid && r.outcome != "" && plain(r.outcome) != "success":
		return "paid, but its operation did not succeed"
	case means == payment.Paid && r.code != "" && r.code != "0":
		return "paid, but with the code of something else"
	case means == payment.Paid && r.mismatch == "" && r.amount.Minor <= 0 && r.settled.Minor <= 0:
		return "paid, but nothing says how much"
	case means == payment.Declined && plain(r.outcome) == "success":
		return "declined, but its operation succeeded"
	case means == payment.Declined && !r.retry && meaningOf(r.code).open:
		return "declined, but its code says that this is not the end"
	case (means == payment.Reversal || means == payment.PartialReversal) && r.operation != "" && (does != payment.Reversal || r.outcome != "" && plain(r.outcome) != "success"):
		return "reversed, but its operation does not say so"
	}
	return ""
}

// doubtful is a report about our order whose meaning cannot be known.
func doubtful(source payment.Source, r report, code, why string) payment.Observation {
	return payment.Observation{
		Kind: payment.Indeterminate, Source: source, Reference: r.number(), Known: true,
		Reason: &payment.Reason{Code: code, ProviderCode: masking.Code(r.status), Message: why},
	}
}
