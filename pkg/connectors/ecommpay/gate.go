package ecommpay

import (
	"bytes"
	"encoding/json"
	"strconv"

	"payonce/pkg/payment"
)

// The paths of the Gate API (Korean banks page, en_Gate_payment_status_request, en_Gate_Clarification).
const (
	salePath          = "/v2/payment/banks/korea/sale"
	payoutPath        = "/v2/payment/banks/korea/payout"
	statusPath        = "/v2/payment/status"
	clarificationPath = "/v2/payment/clarification"
	saleBanksPath     = "/v2/info/banks/korea/sale/list"
	payoutBanksPath   = "/v2/info/banks/korea/payout/list"
)

// gateRequest is the body of every request to Gate, in the order of the Korean banks page.
type gateRequest struct {
	General        gateGeneral                  `json:"general"`
	Payment        *gatePayment                 `json:"payment,omitempty"`
	Customer       *gateCustomer                `json:"customer,omitempty"`
	Account        *gateAccount                 `json:"account,omitempty"`
	ReturnURL      *gateReturnURL               `json:"return_url,omitempty"`
	AdditionalData map[string]map[string]string `json:"additional_data,omitempty"`
}

type gateGeneral struct {
	ProjectID           int64  `json:"project_id"`
	PaymentID           string `json:"payment_id"`
	MerchantCallbackURL string `json:"merchant_callback_url,omitempty"`
	Signature           string `json:"signature,omitempty"`
}

type gatePayment struct {
	Amount      int64  `json:"amount"` // whole won
	Currency    string `json:"currency"`
	Description string `json:"description,omitempty"`
}

type gateCustomer struct {
	ID        string `json:"id"`
	IPAddress string `json:"ip_address"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Email     string `json:"email,omitempty"`
	Language  string `json:"language,omitempty"`
}

type gateAccount struct {
	BankID       int64  `json:"bank_id"`
	CustomerName string `json:"customer_name"`
	Number       string `json:"number"`
}

type gateReturnURL struct {
	Decline string `json:"decline"`
	Success string `json:"success"`
}

// about is a request that names a payment and nothing else.
func (c *Connector) about(order string) gateRequest {
	return gateRequest{General: gateGeneral{ProjectID: c.settings.ProjectID, PaymentID: order}}
}

// gateRequest maps a command that passed [connectors.Check].
func (c *Connector) gateRequest(cmd payment.Command) (path string, request gateRequest) {
	r, customer := c.about(cmd.Order), cmd.Customer
	r.General.MerchantCallbackURL = c.settings.MerchantCallbackURL
	r.Payment = &gatePayment{Amount: cmd.Amount.Minor, Currency: cmd.Amount.Currency, Description: cmd.Description}
	r.Customer = &gateCustomer{ID: customer.ID, IPAddress: customer.IPAddress, FirstName: customer.FirstName, LastName: customer.LastName}
	switch {
	case cmd.Operation == payment.Payout:
		r.Customer.Email = customer.Email
		bank, _ := strconv.ParseInt(cmd.Account.BankCode, 10, 64) // checked
		r.Account = &gateAccount{BankID: bank, CustomerName: receiver(cmd), Number: cmd.Account.Number}
		return payoutPath, r
	case c.method(cmd) == MethodGateRedirect:
		r.Customer.Email, r.Customer.Language = customer.Email, c.language(cmd)
		r.ReturnURL = &gateReturnURL{Decline: c.returnURL(cmd), Success: c.returnURL(cmd)}
	}
	return salePath, r
}

// receiver is the name of the bank account's holder.
func receiver(cmd payment.Command) string {
	if cmd.Account.Holder != "" {
		return cmd.Account.Holder
	}
	return cmd.Customer.Name
}

// signed encodes a request with its signature in general.
func (c *Connector) signed(request gateRequest) ([]byte, error) {
	unsigned, err := encode(request)
	if err != nil {
		return nil, err
	}
	if request.General.Signature, err = Sign(c.settings.Secret, unsigned); err != nil {
		return nil, err
	}
	return encode(request)
}

func encode(request gateRequest) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	err := enc.Encode(request)
	return bytes.TrimSpace(body.Bytes()), err
}
