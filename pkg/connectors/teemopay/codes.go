package teemopay

import (
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// meaning is what a code in the answer to a create request means for the money, and who says so.
type meaning struct {
	class    connectors.Class
	reason   string
	known    bool
	evidence string
}

// Where the codes stand. Both pages call theirs the codes of the check that a request must pass before
// an order is made; the results of an order come with code 200 and a status instead.
const (
	depositPage = "seed 003 (codes of the check): "
	payoutPage  = "docs.teemopay.com zh/korea/payout/create (codes): "
)

func refusedBy(page, what string) meaning {
	return meaning{class: connectors.Rejected, reason: payment.ReasonDeclined, evidence: page + what}
}

func doubtIn(page, what string) meaning {
	return meaning{class: connectors.InDoubt, reason: payment.ReasonUnclear, evidence: page + what}
}

func duplicateIn(page string) meaning {
	return meaning{class: connectors.InDoubt, reason: payment.ReasonUnclear, known: true, evidence: page + "the order number exists already, so look it up and adopt it"}
}

// codes are all documented codes of the create requests. What is missing here is in doubt.
var codes = map[payment.Operation]map[int]meaning{
	payment.Deposit: {
		412: doubtIn(depositPage, "asks to try again later and does not say that nothing was made"),
		414: refusedBy(depositPage, "a parameter must be changed"),
		423: refusedBy(depositPage, "the payment method is not supported"),
		426: duplicateIn(depositPage),
		427: refusedBy(depositPage, "there is no callback address"),
		466: refusedBy(depositPage, "the fee of the payment method is not configured"),
		473: refusedBy(depositPage, "the merchant's configuration failed its check"),
		500: doubtIn(depositPage, "an error of the business logic, with no word about what was done"),
	},
	payment.Payout: {
		412: doubtIn(payoutPage, "asks to try again later and does not say that nothing was made"),
		414: refusedBy(payoutPage, "a parameter must be changed"),
		417: refusedBy(payoutPage, "the merchant's account was not found"),
		425: {class: connectors.NotSent, reason: payment.ReasonBalance, evidence: payoutPage + "the merchant's balance does not allow the payout, so none was made"},
		426: duplicateIn(payoutPage),
		427: refusedBy(payoutPage, "there is no callback address"),
		430: refusedBy(payoutPage, "the length of the account number is wrong"),
		431: refusedBy(payoutPage, "the bank code is not supported"),
		432: refusedBy(payoutPage, "account, bank and method do not fit"),
		455: refusedBy(payoutPage, "the account type is wrong"),
		462: refusedBy(payoutPage, "a blacklist stopped the request"),
		473: refusedBy(payoutPage, "the merchant's configuration failed its check"),
		475: refusedBy(payoutPage, "the identity type is wrong"),
		500: doubtIn(payoutPage, "an error of the business logic, with no word about what was done"),
	},
}

// meaningOf returns what a code other than 200 means.
func meaningOf(operation payment.Operation, code int) meaning {
	if m, ok := codes[operation][code]; ok {
		return m
	}
	return doubtIn("", "no page documents this code for this request")
}
