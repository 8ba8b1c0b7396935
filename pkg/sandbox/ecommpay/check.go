package ecommpay

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"payonce/pkg/sandbox"
)

// dig follows names through objects; nil when there is nothing.
func dig(o object, path ...string) any {
	var value any = o
	for _, name := range path {
		below, ok := value.(object)
		if !ok {
			return nil
		}
		value = below[name]
	}
	return value
}

// at is the plain value at a path like customer.id, without blanks around it.
func (q *request) at(path string) string {
	return strings.TrimSpace(text(dig(q.body, strings.Split(path, ".")...)))
}

// require checks that all fields have a value.
func (q *request) require(paths ...string) *refusal {
	for _, path := range paths {
		if q.at(path) == "" {
			return fieldError(codeRequired, path)
		}
	}
	return nil
}

// paymentID is an assumption: the documents only say that it is unique within the project.
var paymentID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// email is deliberately loose.
var email = regexp.MustCompile(`^[^@\s]+@[^@\s]+\.[^@\s]+$`)

// checkPayment checks what purchases and payouts share, and reads the amount.
func (q *request) checkPayment() (int64, *refusal) {
	if no := q.require("general.payment_id", "payment.amount", "payment.currency", "customer.id", "customer.ip_address"); no != nil {
		return 0, no
	}
	if !paymentID.MatchString(q.orderNumber()) {
		return 0, fieldError(codePaymentID, "general.payment_id")
	}
	if q.at("payment.currency") != "KRW" {
		return 0, fieldError(codeCurrency, "payment.currency")
	}
	number, ok := dig(q.body, "payment", "amount").(json.Number) // a number, not a text
	amount, no := wholeWon(number.String())
	if !ok || no {
		return 0, fieldError(codeValidation, "payment.amount")
	}
	if _, err := netip.ParseAddr(q.at("customer.ip_address")); err != nil {
		return 0, fieldError(codeValidation, "customer.ip_address")
	}
	if text := q.at("customer.email"); text != "" && !email.MatchString(text) {
		return 0, fieldError(codeEmail, "customer.email")
	}
	return amount, checkURL("general.merchant_callback_url", q.at("general.merchant_callback_url"))
}

// wonDigits is an amount without fraction; 15 digits bound it.
var wonDigits = regexp.MustCompile(`^[1-9][0-9]{0,14}$`)

func wholeWon(text string) (amount int64, bad bool) {
	if !wonDigits.MatchString(text) {
		return 0, true
	}
	amount, err := strconv.ParseInt(text, 10, 64)
	return amount, err != nil
}

func checkURL(field, text string) *refusal {
	if text == "" {
		return nil
	}
	if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fieldError(codeValidation, field)
	}
	return nil
}

// limit decides about an amount outside the limits: a refusal at once, or a failure later.
func (p *Protocol) limit(field string, amount, least, most int64) (sandbox.Failure, *refusal) {
	code := ""
	switch {
	case amount < least:
		code = codeBelowLimit
	case most > 0 && amount > most:
		code = codeAboveLimit
	default:
		return "", nil
	}
	if p.settings.RefuseLimits {
		return "", fieldError(code, field)
	}
	return sandbox.LimitExceeded, nil
}
