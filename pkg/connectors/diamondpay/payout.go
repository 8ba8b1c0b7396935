package diamondpay

import (
	"regexp"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

const payoutPath = "/gateway/api/v2/payouts" // apayasia korea/api/create-withdraw

// Limits of apayasia korea/api/create-withdraw, in characters.
const (
	maxBankCode = 16
	maxReceiver = 16
	maxAccount  = 32
)

// payoutRequest is the body of a create request. The page calls the amount and the time integers.
type payoutRequest struct {
	Amount      int64  `json:"amount"`
	BankName    string `json:"bank_name"` // a code
	Currency    string `json:"currency"`
	Name        string `json:"name"`
	NotifyURL   string `json:"notify_url,omitempty"`
	Number      string `json:"number"`
	PayoutClID  string `json:"payout_cl_id"`
	PhoneNumber string `json:"phone_number"`
	PlatformID  string `json:"platform_id"`
	RequestTime int64  `json:"request_time"`
	ServiceID   string `json:"service_id"`
}

func (c *Connector) payoutRequest(cmd payment.Command) payoutRequest {
	return payoutRequest{
		Amount: units(cmd.Amount), BankName: c.bankCode(cmd.Account), Currency: "krw", Name: receiver(cmd),
		NotifyURL: c.settings.PayoutNotifyURL, Number: cmd.Account.Number, PayoutClID: cmd.Order,
		PhoneNumber: cmd.Customer.Phone, PlatformID: c.settings.PlatformID, RequestTime: c.now().Unix(), ServiceID: c.settings.PayoutService,
	}
}

// receiver is the name of the person or company that is paid.
func receiver(cmd payment.Command) string {
	if cmd.Account.Holder != "" {
		return cmd.Account.Holder
	}
	return cmd.Customer.Name
}

var phonePattern = regexp.MustCompile(`^[0-9]{1,11}$`)

// checkPayout holds the rules of apayasia korea/api/create-withdraw. The older page of payment-docs-aay
// has no phone number; the newer one requires it.
func (c *Connector) checkPayout(cmd payment.Command) error {
	bank := c.bankCode(cmd.Account)
	return check.First(
		checkAmount(cmd.Amount),
		required("account.holder", receiver(cmd)),
		optional("account.holder", receiver(cmd), maxReceiver),
		check.Name("account.holder", receiver(cmd)),
		required("account.number", cmd.Account.Number),
		optional("account.number", cmd.Account.Number, maxAccount),
		check.AccountNumber("account.number", cmd.Account.Number, maxAccount),
		required("account.bank_code", bank),
		optional("account.bank_code", bank, maxBankCode),
		check.Code("account.bank_code", bank),
		check.That(phonePattern.MatchString(cmd.Customer.Phone), "customer.phone", "is required, with at most 11 digits"),
	)
}
