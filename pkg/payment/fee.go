package payment

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Fee is what a provider keeps of a payment, exactly as it says. Fees are a percentage, so they come in parts of the smallest
// unit of their currency (18.02 won), and [Money] would have to round them. A Fee holds hundredths of that unit. It can be less
// than zero and more than the payment where the provider says so, see [ReasonFeeImpossible]. The zero Fee is "not told" and is left
// out of JSON; a fee of zero has a currency.
type Fee struct {
	Hundredths int64  // of an ISO 4217 minor unit: 18.02 KRW is 1802, 3.20 TWD is 32000
	Currency   string // ISO 4217 code, upper case
}

// A fee has feeDecimals more decimals than its currency: perMinor of its units are one minor unit.
const (
	feeDecimals = 2
	perMinor    = 100
)

// ParseFee reads a decimal string in major units, "18.02" KRW or "-3.2" TWD. It takes two decimals more than the currency has, and
// else what [ParseMoney] takes. Errors are a [*FieldError] with Field "value" or "currency".
func ParseFee(value, currency string) (Fee, error) {
	decimals, known := currencies[currency]
	unsigned, negative := strings.CutPrefix(value, "-")
	whole, fraction, dotted := strings.Cut(unsigned, ".")
	longest := decimals + feeDecimals
	switch {
	case !known:
		_, err := ParseMoney("0", currency)
		return Fee{}, err
	case dotted && !digits(fraction):
		return Fee{}, &FieldError{Field: "value", Problem: `must be a decimal number of digits, like "18.02"`}
	case len(fraction) > longest:
		return Fee{}, &FieldError{Field: "value", Problem: fmt.Sprintf("a fee in %s has at most %d decimals", currency, longest)}
	}
	if _, err := ParseMoney(whole, currency); err != nil {
		return Fee{}, err
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", longest-len(fraction)), 10, 64)
	if err != nil {
		return Fee{}, &FieldError{Field: "value", Problem: "is too large"}
	}
	if negative {
		n = -n
	}
	return Fee{Hundredths: n, Currency: currency}, nil
}

// IsZero reports whether no fee was told. A fee of zero won was.
func (f Fee) IsZero() bool { return f == Fee{} }

// Value returns the fee in major units, with the decimals of its currency and as many more as it needs: "18.02", "15".
func (f Fee) Value() string {
	whole, part := f.Hundredths/perMinor, f.Hundredths%perMinor
	sign := ""
	if f.Hundredths < 0 {
		whole, part, sign = -whole, -part, "-"
	}
	text := sign + Money{Minor: whole, Currency: f.Currency}.Value()
	if part == 0 {
		return text
	}
	if currencies[f.Currency] == 0 {
		text += "."
	}
	return text + strings.TrimRight(fmt.Sprintf("%02d", part), "0")
}

// String returns the fee for people: "18.02 KRW".
func (f Fee) String() string { return f.Value() + " " + f.Currency }

// Add returns the sum; ok is false for two currencies and for a sum that [ParseFee] would not read.
func (f Fee) Add(g Fee) (sum Fee, ok bool) {
	if f.IsZero() {
		return g, true
	}
	sum = Fee{Hundredths: f.Hundredths + g.Hundredths, Currency: f.Currency}
	overflow := (sum.Hundredths > f.Hundredths) != (g.Hundredths > 0) && g.Hundredths != 0
	return sum, f.Currency == g.Currency && !overflow && sum.writable()
}

// Exceeds reports whether the fee is more than an amount of the same currency.
func (f Fee) Exceeds(m Money) bool {
	whole := f.Hundredths / perMinor
	return whole > m.Minor || whole == m.Minor && f.Hundredths%perMinor > 0
}

// writable reports whether ParseFee would read what Value writes.
func (f Fee) writable() bool {
	_, known := currencies[f.Currency]
	limit := most(f.Currency)
	whole := f.Hundredths / perMinor
	return known && whole <= limit && whole >= -limit && f.Hundredths != math.MinInt64
}

// MarshalJSON writes {"value":"18.02","currency":"KRW"}, as [Money] is written. It refuses what UnmarshalJSON would refuse, except
// for the zero Fee, which fields leave out.
func (f Fee) MarshalJSON() ([]byte, error) {
	if !f.IsZero() && !f.writable() {
		return nil, fmt.Errorf("write a fee of %s: not one that can be read again", f)
	}
	return []byte(beforeValue + f.Value() + beforeCurrency + f.Currency + afterCurrency), nil
}

// UnmarshalJSON reads what MarshalJSON writes. A [*FieldError] names "value" or "currency".
func (f *Fee) UnmarshalJSON(data []byte) error {
	var raw struct {
		Value    *string `json:"value"`
		Currency string  `json:"currency"`
	}
	if err := json.Unmarshal(data, &raw); err != nil || raw.Value == nil {
		return &FieldError{Field: "", Problem: `must be an object like {"value":"18.02","currency":"KRW"}`}
	}
	parsed, err := ParseFee(*raw.Value, raw.Currency)
	if err == nil {
		*f = parsed
	}
	return err
}
