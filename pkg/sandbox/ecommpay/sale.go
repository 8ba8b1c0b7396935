package ecommpay

import (
	"payonce/pkg/sandbox"
)

// The methods of charges, in the truth.
const (
	MethodRedirect = "redirect" // Gate, the customer is redirected
	MethodDirect   = "direct"   // Gate, the merchant shows instructions
	MethodPage     = "page"     // Payment Page
	MethodPayout   = "payout"
)

// The details that are kept of a request.
const (
	detailCustomer    = "customer_id"
	detailFirstName   = "first_name"
	detailLastName    = "last_name"
	detailEmail       = "email"
	detailDescription = "description"
	detailAccount     = "account_number"
)

// sale serves /v2/payment/banks/korea/sale.
func (p *Protocol) sale(q *request) {
	create, no := p.readSale(q)
	if no != nil {
		q.refuse(p, *no)
		return
	}
	p.create(q, create)
}

// create takes a checked request into the ledger. The answer only says that the request was taken; the
// result comes by callback.
func (p *Protocol) create(q *request, create sandbox.Create) {
	q.account.Create(q.w, q.r, create, func(result sandbox.Result) sandbox.Reply {
		switch result.Verdict {
		case sandbox.Duplicate:
			return p.refused(create.Order, refusal{code: codeDuplicate, field: "general.payment_id"})
		case sandbox.NoBalance:
			return p.refused(create.Order, refusal{code: codeBalance})
		default:
			return p.accepted(create.Order, result.Charge.Reference)
		}
	})
}

// readSale checks a purchase as the Korean banks page says for the project's way of processing.
func (p *Protocol) readSale(q *request) (sandbox.Create, *refusal) {
	amount, no := q.checkPayment()
	if no != nil {
		return sandbox.Create{}, no
	}
	create := p.purchase(q.orderNumber(), amount, MethodDirect)
	if p.settings.Redirect {
		create.Method = MethodRedirect
		if no := q.checkRedirect(); no != nil {
			return sandbox.Create{}, no
		}
	}
	create.CallbackURL, create.Details = q.at("general.merchant_callback_url"), q.details()
	// The Korean banks page, without redirection: names are recommended; what is missing is asked for by callback.
	create.Tells, create.Clarify = true, len(missingNames(create.Details)) > 0
	create.Doom, no = p.limit("payment.amount", amount, p.settings.MinDeposit, p.settings.MaxDeposit)
	return create, no
}

// purchase is what all purchases share.
func (p *Protocol) purchase(order string, amount int64, method string) sandbox.Create {
	return sandbox.Create{Order: order, Operation: sandbox.Deposit, Amount: amount, Method: method, Deferred: true}
}

// checkRedirect checks what a purchase with redirection needs in addition.
func (q *request) checkRedirect() *refusal {
	urls := []string{"return_url.success", "return_url.decline"}
	if no := q.require(append([]string{"customer.first_name", "customer.last_name", "customer.email"}, urls...)...); no != nil {
		return no
	}
	for _, path := range urls {
		if no := checkURL(path, q.at(path)); no != nil {
			return no
		}
	}
	return nil
}

// details are what callbacks and instructions repeat of a request.
func (q *request) details() map[string]string {
	d := map[string]string{}
	for name, path := range map[string]string{
		detailCustomer: "customer.id", detailFirstName: "customer.first_name", detailLastName: "customer.last_name",
		detailEmail: "customer.email", detailDescription: "payment.description", detailAccount: "account.number",
	} {
		if value := q.at(path); value != "" {
			d[name] = value
		}
	}
	return d
}

// missingNames are the customer's fields that a clarification asks for.
func missingNames(details map[string]string) []string {
	missing := []string{}
	for _, name := range []string{detailFirstName, detailLastName} {
		if details[name] == "" {
			missing = append(missing, name)
		}
	}
	return missing
}
