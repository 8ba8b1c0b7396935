package teemopay

import (
	"payonce/pkg/connectors/check"
	"payonce/pkg/connectors/signedtext"
	"payonce/pkg/payment"
)

// badText is what is wrong with a text for which [signedtext.HoldsField] holds.
const badText = "must not have an & before an ="

// checkTexts refuses texts of a command that the provider could repeat in a callback and that would make the signed
// text of it readable in two ways, so that it settled nothing. Only what is sent is looked at.
func checkTexts(cmd payment.Command) error {
	if cmd.Operation == payment.Payout {
		return check.First(
			plainText("account.holder", receiver(cmd)),
			plainText("account.number", cmd.Account.Number),
			plainText("account.bank_name", cmd.Account.BankName),
		)
	}
	kyc := depositTypes[cmd.Method] == typeKYCVA
	return check.First(
		plainText("customer.name", payer(cmd)),
		plainText("customer.email", cmd.Customer.Email),
		check.That(!kyc || !signedtext.HoldsField(cmd.Account.Number), "account.number", badText),
	)
}

func plainText(field, text string) check.Rule {
	return check.That(!signedtext.HoldsField(text), field, badText)
}
