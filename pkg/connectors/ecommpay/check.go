package ecommpay

import (
	"fmt"
	"regexp"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// The limits of a deposit in won (Korean banks page). Those of payouts are agreed with each merchant.
const (
	minDeposit = 10_000
	maxDeposit = 30_000_000
)

var (
	emailPattern = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`) // the provider's own pattern is not published
	bankPattern  = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
)

// Form returns what the Korean banks page says that the provider takes. A payout's bank is compared with the list
// of banks if [Connector.Banks] brought one a short time ago.
func (c *Connector) Form(op payment.Operation, method, _ string) (check.Form, bool) {
	form, ok := c.forms[op][method]
	return form, ok
}

// Check refuses what Form says the provider would refuse.
func (c *Connector) Check(cmd payment.Command) error { return connectors.CheckForm(c, cmd) }

// makeForms makes the forms of all methods. Those of payouts have no limits: they are agreed with each merchant.
func (c *Connector) makeForms() map[payment.Operation]map[string]check.Form {
	back := check.Optional("return_url", returnURL()...)
	needsBack := back
	needsBack.Required = c.settings.ReturnURL == ""
	deposit := func(fields ...check.Field) check.Form {
		// Nothing of an account is sent for a deposit.
		fields = append(fields, check.Optional("account.number", readable()), check.Optional("account.holder", readable()))
		return check.Form{Least: minDeposit, Most: maxDeposit, Fields: fields}
	}
	page := func(method string) check.Form {
		form := deposit(append(onPage(method), back)...)
		form.Whole, form.WholeNote = c.checkLink, fmt.Sprintf("The link to the payment page, with all texts in it, must have at most %d bytes.", payment.MaxURL)
		return form
	}
	return map[payment.Operation]map[string]check.Form{
		payment.Deposit: {
			MethodPage: page(MethodPage), MethodPageDirect: page(MethodPageDirect),
			// The names are asked for in a clarification if they are missing.
			MethodGate:         deposit(append(person(false), check.Required("customer.ip_address", readable()), back)...),
			MethodGateRedirect: deposit(append(person(true), check.Required("customer.ip_address", readable()), needsBack)...),
		},
		payment.Payout: {MethodGate: {Fields: append(person(true), check.Required("customer.ip_address", readable()), back,
			check.Required("account.number", readable(), check.AccountNumber(check.MostDigits)),
			check.Required("account.holder", readable(), check.Name()).Or("customer.name"),
			check.Required("account.bank_code", check.Number(), check.Match(bankPattern, "must be the provider's number of the bank"),
				check.That(c.mayServePayout, "is not in the provider's list of banks", "one of the provider's list of banks")),
		)}},
	}
}

// person is what the provider must know about the customer of a redirected deposit or a payout; of others it may know it.
func person(required bool) []check.Field {
	fields := []check.Field{
		check.Optional("customer.first_name", readable(), check.Name()),
		check.Optional("customer.last_name", readable(), check.Name()),
		check.Optional("customer.email", readable(), check.Match(emailPattern, "must be an email address")),
	}
	for i := range fields {
		fields[i].Required = required
	}
	return append(fields,
		check.Required("customer.id", readable(), check.Text()),
		check.Optional("customer.name", readable()),
		check.Optional("description", readable()),
		check.Optional("language", check.Match(languagePattern, "must be two lowercase letters")),
	)
}

// onPage is what stands in the link to the Payment Page, which forbids the semicolon in every value, as it
// separates the values when they are signed (en_PP_Parameters). A link of [MethodPageDirect] has no email address.
func onPage(method string) []check.Field {
	fields := person(false)
	for i, field := range fields {
		switch field.Name {
		case "customer.first_name", "customer.last_name", "customer.id", "description":
		case "customer.email":
			if method == MethodPageDirect {
				continue
			}
		default:
			continue
		}
		fields[i].Tests = append(field.Tests, check.Match(noSemicolon, "must have no semicolon"))
	}
	return append(fields, check.Optional("customer.ip_address", readable()))
}

var noSemicolon = regexp.MustCompile(`^[^;]*$`)

// returnURL is an address that the provider can send the customer back to.
func returnURL() []check.Test {
	const problem = "must be an absolute URL without a semicolon"
	return []check.Test{check.That(returnable, problem, "an absolute https or http URL without a user"), check.Match(noSemicolon, problem)}
}

func (c *Connector) mayServePayout(code string) bool { return c.mayServe(payment.Payout, code) }

// checkLink looks at the link itself.
func (c *Connector) checkLink(cmd payment.Command) *payment.FieldError {
	closes := c.pageCloses(cmd, cmd.RequestedAt) // any time: each is written in as many bytes
	if len(c.pageLink(cmd, closes)) > payment.MaxURL {
		return &payment.FieldError{Field: "customer", Problem: "the texts make the link to the payment page too long"}
	}
	return nil
}
