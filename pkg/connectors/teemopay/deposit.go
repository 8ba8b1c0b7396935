package teemopay

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

const depositPath = "/api/pay/payment/create/v1" // pay-in page

// The methods of a deposit; the first is the default.
const (
	methodVA       = "va"
	methodKYCVA    = "kyc_va"
	methodKakaoPay = "kakaopay"
	methodTossPay  = "tosspay"
)

// The paymentType of each method (korea/payin/create).
const (
	typeVA       = 801
	typeKYCVA    = 802
	typeKakaoPay = 803
	typeTossPay  = 804
)

var depositTypes = map[string]int{
	"": typeVA, methodVA: typeVA, methodKYCVA: typeKYCVA, methodKakaoPay: typeKakaoPay, methodTossPay: typeTossPay,
}

// maxExpiry is the longest life of a deposit, and its default (pay-in page).
const maxExpiry = 2 * time.Hour

// depositRequest is the body of a create request, in the order of the pay-in page.
type depositRequest struct {
	RealName            string `json:"realName"`
	MerchantName        string `json:"merchantName"`
	Amount              string `json:"amount"`
	Phone               string `json:"phone,omitempty"`
	CallbackURL         string `json:"callbackUrl,omitempty"`
	MerchantOrderNo     string `json:"merchantOrderNo"`
	Email               string `json:"email,omitempty"`
	PaymentType         int    `json:"paymentType"`
	ExpirationTime      int64  `json:"expirationTime,omitempty"` // Unix milliseconds
	IPAddress           string `json:"ipAddress,omitempty"`
	BankCode            string `json:"bankCode,omitempty"`
	BankAccount         string `json:"bankAccount,omitempty"`
	AccountHolderNumber string `json:"accountHolderNumber,omitempty"`
}

// depositRequest maps a command. An ExpiresAt within two hours becomes the deposit's expiry; a later
// one is left out, because two hours are the provider's limit and its default; a past one is an error.
func (c *Connector) depositRequest(cmd payment.Command) (depositRequest, error) {
	r := depositRequest{
		RealName: payer(cmd), MerchantName: c.settings.MerchantName, Amount: cmd.Amount.Value(),
		Phone: cmd.Customer.Phone, CallbackURL: c.settings.CallbackURL, MerchantOrderNo: cmd.Order,
		Email: cmd.Customer.Email, PaymentType: depositTypes[cmd.Method], AccountHolderNumber: cmd.Customer.IDNumber,
	}
	switch r.PaymentType {
	case typeKYCVA:
		r.BankCode, r.BankAccount = cmd.Account.BankCode, cmd.Account.Number
	case typeKakaoPay, typeTossPay:
		r.IPAddress = cmd.Customer.IPAddress
	}
	if cmd.ExpiresAt.IsZero() {
		return r, nil
	}
	left := cmd.ExpiresAt.Sub(c.now())
	if left <= 0 {
		return depositRequest{}, errors.New("the command has expired")
	}
	if left < maxExpiry {
		r.ExpirationTime = cmd.ExpiresAt.UnixMilli()
	}
	return r, nil
}

// payer is the name of the person who pays.
func payer(cmd payment.Command) string {
	if cmd.Customer.Name != "" {
		return cmd.Customer.Name
	}
	return cmd.Account.Holder
}

// Limits of the pay-in page and korea/payin/create, in characters.
const (
	maxPayer       = 20
	maxEmail       = 50
	maxIP          = 64
	maxBankAccount = 20
)

var (
	phonePattern  = regexp.MustCompile(`^010[0-9]{8}$`)
	emailPattern  = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`) // the provider's own pattern is not published
	holderPattern = regexp.MustCompile(`^([0-9]{6}|[0-9]{10})$`)
)

// depositForm holds the rules of the pay-in page, and of korea/payin/create for the newer methods. The newer
// page marks accountHolderNumber as required for all; its own example for "va" and the pay-in page do without.
func depositForm(method string) check.Form {
	kind := depositTypes[method]
	kyc, wallet := kind == typeKYCVA, kind == typeKakaoPay || kind == typeTossPay
	// What is sent of every method, and required of some.
	field := func(required bool, name string, tests ...check.Test) check.Field {
		f := check.Optional(name, tests...)
		f.Required = required
		return f
	}
	form := check.Form{Fields: []check.Field{
		check.Required("customer.name", plainText(), check.Most(maxPayer), check.Name()).Or("account.holder"),
		field(wallet, "customer.phone", check.Match(phonePattern, "must have 11 digits and begin with 010")),
		field(wallet, "customer.email", plainText(), check.Match(emailPattern, "must be an email address"), check.Most(maxEmail)),
		field(kind != typeVA, "customer.id_number", check.Match(holderPattern, "must be the date of birth as YYMMDD or a business number of 10 digits")),
	}}
	if wallet {
		form.Fields = append(form.Fields, check.Required("customer.ip_address", check.Most(maxIP)))
	}
	if kyc {
		form.Fields = append(form.Fields,
			check.Optional("account.bank_code", check.OneOf("is not in the provider's list of banks for this method", bankCodes(true)...)),
			check.Optional("account.number", plainText(), check.NotBlank(), check.Most(maxBankAccount), check.AccountNumber(maxBankAccount)),
		)
	}
	return form
}

// depositAction says what the customer must do: transfer to a virtual account, or open a page. There
// is none when the provider names neither, or a page that is not https.
func (c *Connector) depositAction(kind int, data object) *payment.Action {
	f, _ := data.fields()
	extra, err := data.object("additionalInfo")
	if err != nil {
		return nil
	}
	more, _ := extra.fields()
	info := f["paymentInfo"]
	if kind == typeVA {
		if info == "" || strings.Contains(info, "://") || len(info) > payment.MaxText {
			return nil
		}
		t := &payment.TransferInstructions{AccountNumber: info, BankCode: more.short("bankCode"), BankName: more.short("bankName")}
		if ms, ok := more.integer("expiredTime"); ok && ms > 0 {
			if at := time.UnixMilli(int64(ms)).UTC(); payment.ValidTime(at) { // else no event could hold it
				t.ExpiresAt = at
			}
		}
		return &payment.Action{Type: payment.ActionTransfer, Transfer: t}
	}
	for _, page := range []string{info, more["paymentLink"]} {
		if len(page) <= payment.MaxURL && c.safePage(page) {
			return &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: page}}
		}
	}
	return nil
}

// safePage takes https pages, and http ones on a loopback host when the gateway is a sandbox there.
func (c *Connector) safePage(page string) bool {
	sandbox := strings.HasPrefix(c.base, "http://")
	return check.URL(page, true) == "" && (sandbox || strings.HasPrefix(page, "https://"))
}
