package teemopay

import (
	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

const payoutPath = "/api/pay/payout/create/v1" // korea/payout/create

// The methods of a payout; the first is the default.
const (
	methodBank    = "bank_transfer"
	methodBankKYC = "bank_transfer_kyc"
)

// accountTypes are the accountType of each method (korea/payout/create).
var accountTypes = map[string]int{"": 801, methodBank: 801, methodBankKYC: 802}

// payoutRequest is the body of a create request, in the order of the page's example.
type payoutRequest struct {
	MerchantOrderNo string `json:"merchantOrderNo"`
	Amount          string `json:"amount"`
	BankCode        string `json:"bankCode"`
	BankName        string `json:"bankName"`
	AccountType     int    `json:"accountType"`
	BankAccount     string `json:"bankAccount"`
	RealName        string `json:"realName"`
	IDType          string `json:"idType"`
	CallbackURL     string `json:"callbackUrl,omitempty"`
}

func (c *Connector) payoutRequest(cmd payment.Command) payoutRequest {
	name := cmd.Account.BankName
	if name == "" {
		name = banks[cmd.Account.BankCode].name
	}
	return payoutRequest{
		MerchantOrderNo: cmd.Order, Amount: cmd.Amount.Value(), BankCode: cmd.Account.BankCode, BankName: name,
		AccountType: accountTypes[cmd.Method], BankAccount: cmd.Account.Number, RealName: receiver(cmd),
		IDType: cmd.Customer.IDType, CallbackURL: c.settings.CallbackURL,
	}
}

// receiver is the name of the person or company that is paid.
func receiver(cmd payment.Command) string {
	if cmd.Account.Holder != "" {
		return cmd.Account.Holder
	}
	return cmd.Customer.Name
}

// payoutForm holds the rules of korea/payout/create and korea/payout/bank.
func payoutForm() check.Form {
	return check.Form{Fields: []check.Field{
		check.Required("account.holder", plainText(), check.Between(2, 40), check.Name(), check.PlainName()).Or("customer.name"), // "no special characters allowed"
		check.Required("account.number", plainText(), check.Most(50), check.AccountNumber(check.MostDigits)),
		check.Required("account.bank_code", check.OneOf("is not in the provider's list of banks", bankCodes(false)...)),
		check.Optional("account.bank_name", plainText(), check.NotBlank(), check.Most(50)),
		check.Required("customer.id_type", check.OneOf("must be RRN (a person) or CO (a company)", "RRN", "CO")),
	}}
}
