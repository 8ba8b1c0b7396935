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

// payoutForm holds the rules of apayasia korea/api/create-withdraw. The older page of payment-docs-aay
// has no phone number; the newer one requires it.
func (c *Connector) payoutForm() check.Form {
	return check.Form{Most: maxWhole, Fields: []check.Field{
		check.Required("account.holder", plainText(), check.Most(maxReceiver), check.Name()).Or("customer.name"),
		check.Required("account.number", plainText(), check.Most(maxAccount), check.AccountNumber(maxAccount)),
		check.Required("account.bank_code", plainText(), check.Most(maxBankCode), check.Code()).Coded(c.settings.BankCodes),
		check.Required("customer.phone", check.Match(phonePattern, "must have at most 11 digits")),
	}}
}
