package ecommpay

import (
	"strings"

	"payonce/pkg/payment"
)

// paymentStatuses are the statuses of a payment and what they mean. Indeterminate are those that need a person:
// part of the money is somewhere else (partially …), no page documents whether money can still come
// (expired), the provider itself is not sure (internal and external error), or they belong to payments
// that are never made here. Sources: en_gate_sms_model and en_gate_payout_model, developers.rocketpay.kz
// en_gate_payout_statuses, and the provider's plugins.
var paymentStatuses = map[string]payment.Kind{
	"success": payment.Paid,

	"decline":   payment.Declined,
	"canceled":  payment.Declined,
	"cancelled": payment.Declined,

	"processing":                     payment.Accepted,
	"external processing":            payment.Accepted,
	"clearing processing":            payment.Accepted,
	"scheduled recurring processing": payment.Accepted,
	"awaiting 3ds result":            payment.Accepted,
	"awaiting approval":              payment.Accepted,
	"awaiting capture":               payment.Accepted,
	"awaiting clarification":         payment.Accepted,
	"awaiting clarify data":          payment.Accepted,
	"awaiting clearing":              payment.Accepted,
	"awaiting confirmation":          payment.Accepted,
	"awaiting customer":              payment.Accepted,
	"awaiting customer action":       payment.Accepted,
	"awaiting finalization":          payment.Accepted,
	"awaiting merchant auth":         payment.Accepted,
	"awaiting partially clearing":    payment.Accepted,
	"awaiting payment":               payment.Accepted,
	"awaiting redirect result":       payment.Accepted,
	"awaiting retry":                 payment.Accepted,
	"invoice sent":                   payment.Accepted,

	"refunded": payment.Reversal,
	"reversed": payment.Reversal,

	"partially refunded": payment.PartialReversal,
	"partially reversed": payment.PartialReversal,

	"error":              payment.Indeterminate,
	"internal error":     payment.Indeterminate,
	"external error":     payment.Indeterminate,
	"expired":            payment.Indeterminate,
	"partially paid":     payment.Indeterminate,
	"partially paid out": payment.Indeterminate,
	"invoice cancelled":  payment.Indeterminate,
	"decline renewal":    payment.Indeterminate,
}

// operationTypes say what an operation inside a payment does to its money. Only a sale and a payout are
// the payment itself; those that are missing here, e.g. auth or customer action, decide nothing.
var operationTypes = map[string]payment.Kind{
	"sale":            payment.Paid,
	"payout":          payment.Paid,
	"refund":          payment.Reversal,
	"reversal":        payment.Reversal,
	"payout reversal": payment.Reversal, // en_gate_payout_model
}

// paymentTypes give a payment's direction, by its own type or that of its operation (Korean banks page).
var paymentTypes = map[string]payment.Operation{
	"purchase": payment.Deposit,
	"sale":     payment.Deposit,
	"payout":   payment.Payout,
}

// plain spells a status or a type as the tables do; "partially_paid_out" occurs too.
func plain(name string) string { return strings.ReplaceAll(name, "_", " ") }
