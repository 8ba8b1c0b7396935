package diamondpay

import (
	"payonce/pkg/connectors/check"
	"payonce/pkg/connectors/signedtext"
	"payonce/pkg/payment"
)

// checkTexts refuses texts of a command that the provider could repeat in a notification and that would make the
// signed text of it readable in two ways, so that it settled nothing. Only what is sent is looked at.
func (c *Connector) checkTexts(cmd payment.Command) error {
	way := c.way(cmd)
	switch {
	case cmd.Operation == payment.Payout:
		return check.First(
			plainText("account.holder", receiver(cmd)),
			plainText("account.number", cmd.Account.Number),
			plainText("account.bank_code", c.bankCode(cmd.Account)),
		)
	case way.version == v2:
		return nil // nothing about the customer is sent
	case way.currency == twd:
		return check.First(plainText("customer.name", payer(cmd)))
	}
	bank := "account.bank_code"
	if c.bankCode(cmd.Account) == "" {
		bank = "account.bank_name"
	}
	return check.First(
		plainText("customer.name", payer(cmd)),
		plainText("customer.id", userID(cmd)),
		plainText("account.number", cmd.Account.Number),
		plainText(bank, c.payerBank(cmd.Account)),
	)
}

func plainText(field, text string) check.Rule {
	return check.That(!signedtext.HoldsField(text), field, "must not have an & before an =")
}
