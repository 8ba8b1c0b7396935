package testenv

import (
	"fmt"

	"payonce/pkg/payment"
)

// Variant is one way of paying at one provider.
type Variant struct {
	Account   string
	Method    string // empty takes the provider's default
	Operation payment.Operation
	Amount    payment.Money
}

// Variants are all ways of paying that the providers' documents describe.
func Variants() []Variant {
	krw, twd := payment.KRW(10_000), payment.TWD(48_389)
	return []Variant{
		{TeemoPay, "va", payment.Deposit, krw},
		{TeemoPay, "kyc_va", payment.Deposit, krw},
		{TeemoPay, "kakaopay", payment.Deposit, krw},
		{TeemoPay, "tosspay", payment.Deposit, krw},
		{TeemoPay, "bank_transfer", payment.Payout, krw},
		{TeemoPay, "bank_transfer_kyc", payment.Payout, krw},
		{ECommPay, "page_direct", payment.Deposit, krw},
		{ECommPay, "gate", payment.Deposit, krw},
		{ECommPayRedirect, "page", payment.Deposit, krw},
		{ECommPayRedirect, "gate_redirect", payment.Deposit, krw},
		{ECommPay, "", payment.Payout, krw},
		{DiamondPayV1, "atm", payment.Deposit, krw},
		{DiamondPayInfo, "atm", payment.Deposit, krw},
		{DiamondPayV2, "card", payment.Deposit, krw},
		{DiamondPayV2, "direct", payment.Deposit, krw},
		{DiamondPayV2, "qr", payment.Deposit, krw},
		{DiamondPayV2, "atm", payment.Deposit, krw}, // v1 of the same account
		{DiamondPayV2, "", payment.Payout, krw},
		{DiamondPayTWD, "atm", payment.Deposit, twd},
	}
}

// Command returns the JSON that an upstream service sends.
func (v Variant) Command(ref payment.Ref) string {
	return fmt.Sprintf(`{
  "provider": %q, "order": %q, "method": %q, "amount": {"value": %q, "currency": %q},
  "customer": {"id": "c-77", "name": "홍길동", "first_name": "길동", "last_name": "홍", "email": "hong@example.com",
    "phone": "01012345678", "ip_address": "198.51.100.7", "id_type": "RRN", "id_number": "900101"},
  "account": {"number": "29900000000000", "holder": "홍길동", "bank_code": %q%s},
  "return_url": "https://shop.example/back", "metadata": {"cart": "77"}
}`, ref.Provider, ref.Order, v.Method, v.Amount.Value(), v.Amount.Currency, v.bankCode(), v.lastDigits())
}

// bankCode is a bank as the provider names it.
func (v Variant) bankCode() string {
	switch v.Account {
	case ECommPay, ECommPayRedirect:
		return "771" // Kookmin, ECommPay's Korean banks page
	case DiamondPayV1, DiamondPayInfo, DiamondPayV2:
		return "KBSTAR_KR"
	case DiamondPayTWD:
		return "004"
	}
	return "003" // IBK
}

func (v Variant) lastDigits() string {
	if v.Account != DiamondPayTWD {
		return ""
	}
	return `, "last_digits": ["12345", "67890"]`
}
