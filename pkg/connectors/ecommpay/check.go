package ecommpay

import (
	"fmt"
	"regexp"
	"strings"

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

// Check refuses what the Korean banks page says the provider would refuse. A payout's bank is compared with the list
// of banks if [Connector.Banks] brought one a short time ago.
func (c *Connector) Check(cmd payment.Command) error {
	if err := check.First(
		check.That(given(cmd.Customer.ID), "customer.id", "is required"),
		check.Text("customer.id", cmd.Customer.ID),
		check.Name("customer.first_name", cmd.Customer.FirstName),
		check.Name("customer.last_name", cmd.Customer.LastName),
		check.That(cmd.Customer.Email == "" || emailPattern.MatchString(cmd.Customer.Email), "customer.email", "must be an email address"),
		check.That(cmd.Language == "" || languagePattern.MatchString(cmd.Language), "language", "must be two lowercase letters"),
		check.That(cmd.ReturnURL == "" || returnable(cmd.ReturnURL), "return_url", "must be an absolute URL without a semicolon"),
	); err != nil {
		return err
	}
	if err := c.checkReadable(cmd); err != nil {
		return err
	}
	if cmd.Operation == payment.Payout {
		return c.checkPayout(cmd)
	}
	if err := check.First(
		check.That(cmd.Amount.Minor >= minDeposit, "amount.value", fmt.Sprintf("must be at least %d", minDeposit)),
		check.That(cmd.Amount.Minor <= maxDeposit, "amount.value", fmt.Sprintf("must be at most %d", maxDeposit)),
	); err != nil {
		return err
	}
	switch c.method(cmd) {
	case MethodGateRedirect:
		return check.First(append(person(cmd), check.That(c.returnURL(cmd) != "", "return_url", "is required for this method"))...)
	case MethodGate: // the names are asked for in a clarification if they are missing
		return check.First(check.That(cmd.Customer.IPAddress != "", "customer.ip_address", "is required for this method"))
	default:
		return c.checkPage(cmd)
	}
}

// person is what the provider must know about the customer of a redirected deposit or a payout.
func person(cmd payment.Command) []check.Rule {
	return []check.Rule{
		check.That(given(cmd.Customer.FirstName), "customer.first_name", "is required"),
		check.That(given(cmd.Customer.LastName), "customer.last_name", "is required"),
		check.That(cmd.Customer.Email != "", "customer.email", "is required"),
		check.That(cmd.Customer.IPAddress != "", "customer.ip_address", "is required"),
	}
}

func (c *Connector) checkPayout(cmd payment.Command) error {
	return check.First(append(person(cmd),
		check.That(given(cmd.Account.Number), "account.number", "is required"),
		check.AccountNumber("account.number", cmd.Account.Number, check.MostDigits),
		check.That(given(receiver(cmd)), "account.holder", "is required"),
		check.Name("account.holder", receiver(cmd)),
		check.Number("account.bank_code", cmd.Account.BankCode),
		check.That(bankPattern.MatchString(cmd.Account.BankCode), "account.bank_code", "must be the provider's number of the bank"),
		check.That(c.mayServe(payment.Payout, cmd.Account.BankCode), "account.bank_code", "is not in the provider's list of banks"),
	)...)
}

// checkPage looks at the link itself. The Payment Page forbids the semicolon in every value, as it
// separates the values when they are signed (en_PP_Parameters).
func (c *Connector) checkPage(cmd payment.Command) error {
	closes := c.pageCloses(cmd, cmd.RequestedAt) // any time: each is written in as many bytes
	for _, p := range c.pageParameters(cmd, closes) {
		if strings.Contains(p.value, ";") {
			return &payment.FieldError{Field: p.field, Problem: "must have no semicolon"}
		}
	}
	if len(c.pageLink(cmd, closes)) > payment.MaxURL {
		return &payment.FieldError{Field: "customer", Problem: "the texts make the link to the payment page too long"}
	}
	return nil
}

func given(text string) bool { return strings.TrimSpace(text) != "" }
