package ecommpay

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"payonce/pkg/sandbox"
)

// callback is the standard format, in the order of the Korean banks page.
type callback struct {
	General             *generalSignature   `json:"general,omitempty"`
	ProjectID           int64               `json:"project_id"`
	Payment             callbackPayment     `json:"payment"`
	Account             *account            `json:"account,omitempty"`
	Customer            customer            `json:"customer"`
	RedirectData        *redirectData       `json:"redirect_data,omitempty"`
	ProviderExtraFields *instructions       `json:"provider_extra_fields,omitempty"`
	ClarificationFields map[string][]string `json:"clarification_fields,omitempty"`
	Operation           operation           `json:"operation"`
	Signature           string              `json:"signature,omitempty"`
}

type generalSignature struct {
	Signature string `json:"signature"`
}

type callbackPayment struct {
	ID          string `json:"id"`
	Type        string `json:"type"`
	Status      string `json:"status"`
	Date        string `json:"date"`
	Method      string `json:"method"`
	Sum         sum    `json:"sum"`
	Description string `json:"description"`
}

type account struct {
	Number string `json:"number"`
}

type customer struct {
	ID string `json:"id"`
}

type operation struct {
	ID           int64         `json:"id"`
	Type         string        `json:"type"`
	Status       string        `json:"status"`
	Date         string        `json:"date"`
	CreatedDate  string        `json:"created_date"`
	RequestID    string        `json:"request_id"`
	SumInitial   sum           `json:"sum_initial"`
	SumConverted sum           `json:"sum_converted"`
	Code         string        `json:"code"`
	Message      string        `json:"message"`
	Provider     bankReference `json:"provider"`
}

type bankReference struct {
	ID        int     `json:"id"`
	PaymentID string  `json:"payment_id"`
	AuthCode  *string `json:"auth_code,omitempty"`
	Date      string  `json:"date,omitempty"`
}

// methodTitle is the method's name in callbacks.
const methodTitle = "Korean banks"

// Callback makes one delivery. It is sent again word for word, only dates of pending payments move.
func (p *Protocol) Callback(n sandbox.Notice, at time.Time) (sandbox.Call, error) {
	c := p.tell(n, at)
	signature, err := p.signAnswer(c)
	if err != nil {
		return sandbox.Call{}, fmt.Errorf("ecommpay: callback of order %s: %w", n.Order, err)
	}
	if p.settings.SignGeneral {
		c.General = &generalSignature{signature}
	} else {
		c.Signature = signature
	}
	return sandbox.Call{
		Header:       http.Header{"Content-Type": {"application/json"}},
		Body:         encode(c),
		Acknowledged: func(status int, _ []byte) bool { return status == http.StatusOK },
	}, nil
}

// signAnswer signs anything that has no signature yet.
func (p *Protocol) signAnswer(value any) (string, error) {
	o, err := decode(encode(value))
	if err != nil {
		return "", err
	}
	return sign(p.settings.Secret, o), nil
}

func (p *Protocol) tell(n sandbox.Notice, at time.Time) callback {
	end := n.Charge.CompletedAt
	if n.State == sandbox.Pending {
		end = at
	}
	c := callback{
		ProjectID: p.settings.ProjectID,
		Payment: callbackPayment{
			ID: n.Order, Type: paymentTypes[n.Charge.Operation], Status: p.paymentStatus(n.State, n.Charge),
			Date: date(end), Method: methodTitle, Sum: won(paymentSum(n)), Description: n.Charge.Details[detailDescription],
		},
		Customer:  customer{n.Charge.Details[detailCustomer]},
		Operation: p.operation(n, end),
	}
	if n.Charge.Operation == sandbox.Payout {
		c.Account = &account{n.Charge.Details[detailAccount]}
	}
	if n.State == sandbox.Pending {
		p.addNextStep(&c, n)
	}
	return c
}

// paymentSum is what was paid so far, or the ordered amount while nothing was. The ordered amount is
// repeated as the provider does it, which can be wrong.
func paymentSum(n sandbox.Notice) int64 {
	if n.State == sandbox.Pending || n.State == sandbox.Failed || n.Received == n.Charge.Amount {
		return n.Echo
	}
	return n.Received
}

// operation is the operation that the callback is about.
func (p *Protocol) operation(n sandbox.Notice, end time.Time) operation {
	code, message := p.result(n.State, n.Charge)
	o := operation{
		ID: operationID(n.Charge.Serial), Type: operationTypes[n.Charge.Operation], Status: p.operationStatus(n.State, n.Charge),
		Date: date(end), CreatedDate: date(n.Charge.At), RequestID: n.Charge.Reference,
		SumInitial: won(n.Echo), SumConverted: won(paymentSum(n)), Code: code, Message: message,
		Provider: p.bankReference(n),
	}
	switch {
	case n.State == sandbox.Refunded:
		o.ID, o.Type = operationID(n.Movement.Serial), refundTypes[n.Charge.Operation]
		o.SumInitial, o.SumConverted = won(n.Movement.Amount), won(n.Movement.Amount)
	case n.State == sandbox.Paid && n.Received != n.Movement.Amount: // not the first payment
		o.ID = operationID(n.Movement.Serial)
		o.SumConverted = won(n.Movement.Amount)
	}
	return o
}

// The providers behind the method, as in the examples of the Korean banks page.
const (
	providerRedirect = 1481 // payouts too
	providerDirect   = 1995
)

// bankReference has the fields that the Korean banks page shows for each kind of payment.
func (p *Protocol) bankReference(n sandbox.Notice) bankReference {
	none := ""
	if n.Charge.Operation == sandbox.Payout {
		return bankReference{
			ID: providerRedirect, PaymentID: p.Reference(sandbox.MovementReference, n.Charge.Serial, n.Charge.At),
			AuthCode: &none, Date: date(n.Charge.At),
		}
	}
	if !p.settings.Redirect {
		return bankReference{ID: providerDirect, AuthCode: &none}
	}
	if n.State == sandbox.Failed {
		return bankReference{ID: providerRedirect}
	}
	return bankReference{ID: providerRedirect, AuthCode: &none}
}

// instructions tell the customer of a purchase without redirection where to pay (Korean banks page).
type instructions struct {
	Timeout             int    `json:"timeout"` // seconds
	MerchantBank        string `json:"merchant_bank"`
	MerchantBankAccount string `json:"merchant_bank_account"`
	MerchantAccountName string `json:"merchant_bank_account_name"`
}

// redirectData sends the customer to the bank (Korean banks page).
type redirectData struct {
	Body   redirectBody `json:"body"`
	Method string       `json:"method"`
	URL    string       `json:"url"`
}

type redirectBody struct {
	SID         int    `json:"sid"`
	TID         int64  `json:"tid"`
	Amount      string `json:"amount"`
	Currency    string `json:"currency"`
	PayBy       string `json:"payby"`
	Quantity    string `json:"item_quantity[]"`
	Name        string `json:"item_name[]"`
	Number      string `json:"item_no[]"`
	Text        string `json:"item_desc[]"`
	Unit        string `json:"item_amount_unit[]"`
	FirstName   string `json:"firstname"`
	LastName    string `json:"lastname"`
	Email       string `json:"email"`
	Description string `json:"description"`
}

// addNextStep says what has to be done now.
func (p *Protocol) addNextStep(c *callback, n sandbox.Notice) {
	switch {
	case n.Charge.Stage == sandbox.AwaitingClarification:
		c.ClarificationFields = wanted(n.Charge)
	case n.Charge.Method == MethodRedirect:
		c.RedirectData = p.redirect(n.Charge, n.Echo)
	default:
		c.ProviderExtraFields = &instructions{
			Timeout: p.settings.Timeout, MerchantBank: "Kyungnam Bank 039",
			MerchantBankAccount: fmt.Sprintf("1111-1111-%04d", n.Charge.Serial), MerchantAccountName: "TEST",
		}
	}
}

func (p *Protocol) redirect(c sandbox.Charge, amount int64) *redirectData {
	return &redirectData{
		Method: http.MethodPost, URL: p.settings.BankURL,
		Body: redirectBody{
			SID: 2553, TID: operationID(c.Serial), Amount: strconv.FormatInt(amount, 10), Currency: "KRW", PayBy: "p2p",
			Quantity: "1", Name: "1", Number: "1", Text: "1", Unit: strconv.FormatInt(amount*100, 10), // in hundredths
			FirstName: c.Details[detailFirstName], LastName: c.Details[detailLastName], Email: c.Details[detailEmail],
			Description: c.Details[detailDescription],
		},
	}
}
