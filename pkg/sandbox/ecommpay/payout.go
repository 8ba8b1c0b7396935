package ecommpay

import (
	"regexp"

	"payonce/pkg/sandbox"
)

// payout serves /v2/payment/banks/korea/payout.
func (p *Protocol) payout(q *request) {
	create, no := p.readPayout(q)
	if no != nil {
		q.refuse(p, *no)
		return
	}
	p.create(q, create)
}

// accountNumber is a Korean account, like 950-001413-01-010 on the Korean banks page.
var accountNumber = regexp.MustCompile(`^[0-9-]{4,32}$`)

// readPayout checks a payout as the Korean banks page says.
func (p *Protocol) readPayout(q *request) (sandbox.Create, *refusal) {
	amount, no := q.checkPayment()
	if no != nil {
		return sandbox.Create{}, no
	}
	if no := q.require("customer.first_name", "customer.last_name", "customer.email", "account.number", "account.customer_name"); no != nil {
		return sandbox.Create{}, no
	}
	if !accountNumber.MatchString(q.at("account.number")) {
		return sandbox.Create{}, fieldError(codeValidation, "account.number")
	}
	switch id := q.at("account.bank_id"); {
	case id == "":
		return sandbox.Create{}, fieldError(codeNoBank, "account.bank_id")
	case !p.knowsBank(id):
		return sandbox.Create{}, fieldError(codeBank, "account.bank_id")
	}
	create := sandbox.Create{
		Order: q.orderNumber(), Operation: sandbox.Payout, Amount: amount, Method: MethodPayout, Deferred: true,
		CallbackURL: q.at("general.merchant_callback_url"), Details: q.details(),
	}
	create.Doom, no = p.limit("payment.amount", amount, p.settings.MinPayout, p.settings.MaxPayout)
	return create, no
}
