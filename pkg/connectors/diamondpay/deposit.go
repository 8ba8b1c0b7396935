package diamondpay

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

const (
	depositPathV1 = "/gateway/api/v1/payments" // the v1 deposit pages
	depositPathV2 = "/gateway/api/v2/payments" // the v2 deposit page
)

// The bodies of the create requests, each in the order and with the JSON types of its page's example: in
// won the numbers are texts, in TWD they are numbers. The signature is the same for both.
type (
	// wonRequest is that of the KRW deposit page with all fields, and that of the v2 deposit page without the customer's.
	wonRequest struct {
		Amount      string `json:"amount"`
		Name        string `json:"name,omitempty"`
		UserID      string `json:"user_id,omitempty"`
		LastNumber  string `json:"last_number,omitempty"`
		BankName    string `json:"bank_name,omitempty"`
		NotifyURL   string `json:"notify_url"`
		PaymentClID string `json:"payment_cl_id"`
		PlatformID  string `json:"platform_id"`
		RequestTime string `json:"request_time"`
		ServiceID   string `json:"service_id"`
	}
	// dollarRequest is that of the TWD deposit page, in snake_case: the provider's own Java demo signs and sends these
	// names.
	dollarRequest struct {
		Amount      int64    `json:"amount"`
		LastNumbers []string `json:"last_numbers"`
		BankCode    string   `json:"bank_code,omitempty"`
		Name        string   `json:"name"`
		NotifyURL   string   `json:"notify_url"`
		PaymentClID string   `json:"payment_cl_id"`
		PlatformID  string   `json:"platform_id"`
		RequestTime int64    `json:"request_time"`
		ServiceID   string   `json:"service_id"`
	}
)

// depositRequest maps a command to the path and the body of its request.
func (c *Connector) depositRequest(cmd payment.Command) (path string, body any) {
	s, way, now := c.settings, c.way(cmd), c.now().Unix()
	if way.currency == twd {
		return depositPathV1, dollarRequest{
			Amount: units(cmd.Amount), LastNumbers: cmd.Account.LastDigits, BankCode: c.bankCode(cmd.Account), Name: payer(cmd),
			NotifyURL: s.NotifyURL, PaymentClID: cmd.Order, PlatformID: s.PlatformID, RequestTime: now, ServiceID: way.id,
		}
	}
	r := wonRequest{
		Amount: strconv.FormatInt(units(cmd.Amount), 10), NotifyURL: s.NotifyURL, PaymentClID: cmd.Order, PlatformID: s.PlatformID,
		RequestTime: strconv.FormatInt(now, 10), ServiceID: way.id,
	}
	if way.version == v2 {
		return depositPathV2, r
	}
	r.Name, r.UserID, r.LastNumber, r.BankName = payer(cmd), userID(cmd), cmd.Account.Number, c.payerBank(cmd.Account)
	return depositPathV1, r
}

// maxUserID is the longest user_id, in characters (KRW deposit page, v1).
const maxUserID = 16

// userID is the customer's number with the merchant. The field is optional and no part of the payment, so a number
// that does not fit it is left out: part of it could be another customer's.
func userID(cmd payment.Command) string {
	if id := cmd.Customer.ID; strings.TrimSpace(id) != "" && utf8.RuneCountInString(id) <= maxUserID {
		return id
	}
	return ""
}

// payer is the name of the person who pays.
func payer(cmd payment.Command) string {
	if cmd.Customer.Name != "" {
		return cmd.Customer.Name
	}
	return cmd.Account.Holder
}

// payerBank is the remitter's bank: the page wants it from the provider's list.
func (c *Connector) payerBank(account payment.Account) string {
	if code := c.bankCode(account); code != "" {
		return code
	}
	return account.BankName
}

// bankCode returns the provider's code of an account's bank, see [Settings].BankCodes.
func (c *Connector) bankCode(account payment.Account) string {
	if code, ok := c.settings.BankCodes[account.BankCode]; ok {
		return code
	}
	return account.BankCode
}

var taiwanBankPattern = regexp.MustCompile(`^[0-9]{3}$`)

// depositForm holds the rules of the deposit pages. Lengths are in characters.
func (c *Connector) depositForm(way service) check.Form {
	form := check.Form{Most: maxWhole}
	switch {
	case way.currency == twd:
		form.Fields = []check.Field{
			check.Required("customer.name", plainText(), check.Most(32), check.Name()).Or("account.holder"),
			check.List("account.last_digits", 1, 10, check.LastDigits(5)),
			check.Optional("account.bank_code", check.Match(taiwanBankPattern, "must have three digits")).Coded(c.settings.BankCodes),
		}
	case way.version == v1: // of v2 nothing about the customer is sent
		form.Fields = []check.Field{
			check.Optional("customer.name", plainText(), check.NotBlank(), check.Most(16), check.Name()).Or("account.holder"),
			check.Optional("customer.id", sentID(check.Text()), sentID(plainText())),
			check.Optional("account.number", plainText(), check.NotBlank(), check.Most(maxAccount), check.AccountNumber(maxAccount)),
			check.Optional("account.bank_code", plainText(), check.NotBlank(), check.Most(32), check.Code()).Or("account.bank_name").Coded(c.settings.BankCodes),
		}
	}
	return form
}

// sentID is a test of a customer's number that is sent; others are left out.
func sentID(test check.Test) check.Test {
	return check.That(func(text string) bool {
		return userID(payment.Command{Customer: payment.Customer{ID: text}}) == "" || test.Problem(text) == ""
	}, "cannot be sent as it is", "nothing that a spreadsheet or a program writes in place of a value, and no & before an =")
}
