package teemopay

import (
	"unicode/utf8"

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

// checkPayout holds the rules of korea/payout/create and korea/payout/bank.
func checkPayout(cmd payment.Command) error {
	account, name := cmd.Account, receiver(cmd)
	_, listed := banks[account.BankCode]
	letters := utf8.RuneCountInString(name)
	return check.First(
		check.That(!blank(name), "account.holder", "is required"),
		check.That(letters >= 2 && letters <= 40, "account.holder", "must have 2 to 40 characters"),
		check.Name("account.holder", name),
		check.PlainName("account.holder", name), // "no special characters allowed"
		check.That(!blank(account.Number), "account.number", "is required"),
		check.That(utf8.RuneCountInString(account.Number) <= 50, "account.number", "must have at most 50 characters"),
		check.AccountNumber("account.number", account.Number, check.MostDigits),
		check.That(account.BankCode != "", "account.bank_code", "is required"),
		check.That(listed, "account.bank_code", "is not in the provider's list of banks"),
		check.That(account.BankName == "" || !blank(account.BankName), "account.bank_name", "must not be blank"),
		check.That(utf8.RuneCountInString(account.BankName) <= 50, "account.bank_name", "must have at most 50 characters"),
		check.That(cmd.Customer.IDType == "RRN" || cmd.Customer.IDType == "CO", "customer.id_type", "must be RRN (a person) or CO (a company)"),
	)
}
