package payment

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Money is an amount of one currency, held as whole ISO 4217 minor units. The won has no minor unit,
// so 10,000 KRW is Minor 10000; the New Taiwan dollar has two decimals, so 483.89 TWD is Minor 48389.
// Providers that want another unit convert in their connector, nowhere else. The zero Money is "no
// amount" and is left out of JSON.
type Money struct {
	Minor    int64
	Currency string // ISO 4217 code, upper case
}

// currencies maps an ISO 4217 code to its number of decimals (ISO 4217 list one, "minor unit").
var currencies = map[string]int{"KRW": 0, "TWD": 2}

// maxIntegerDigits bounds a decimal string: 15 digits of major units and two decimals fit an int64
// with room for sums.
const maxIntegerDigits = 15

// KRW returns won, a currency without decimals.
func KRW(won int64) Money { return Money{Minor: won, Currency: "KRW"} }

// TWD returns an amount in cents of the New Taiwan dollar.
func TWD(cents int64) Money { return Money{Minor: cents, Currency: "TWD"} }

// Decimals returns the number of decimals of a currency, and whether the currency is known.
func Decimals(currency string) (int, bool) {
	d, ok := currencies[currency]
	return d, ok
}

// ParseMoney reads a decimal string in major units, as it stands at the border: "10000" KRW, "483.89"
// TWD. Trailing zeros beyond the currency's decimals are an over-precise amount like any other. It
// refuses signs, exponents, blanks, separators, leading zeros, more decimals than the currency has,
// and amounts of more than 15 integer digits. Zero is read; whether zero is acceptable is the
// caller's rule. Errors are a [*FieldError] with Field "value" or "currency".
func ParseMoney(value, currency string) (Money, error) {
	decimals, ok := currencies[currency]
	if !ok {
		return Money{}, &FieldError{Field: "currency", Problem: "must be " + English("or", slices.Sorted(maps.Keys(currencies))...)}
	}
	whole, fraction, dotted := strings.Cut(value, ".")
	switch {
	case strings.ContainsAny(value, ",_' ") && digits(strings.NewReplacer(",", "", "_", "", "'", "", " ", "", ".", "").Replace(value)):
		return Money{}, &FieldError{Field: "value", Problem: `must have no separators, like "10000"`}
	case !digits(whole) || dotted && !digits(fraction):
		return Money{}, &FieldError{Field: "value", Problem: `must be a decimal number of digits, like "10000"`}
	case len(whole) > 1 && whole[0] == '0':
		return Money{}, &FieldError{Field: "value", Problem: "must not begin with 0"}
	case len(whole) > maxIntegerDigits:
		return Money{}, &FieldError{Field: "value", Problem: fmt.Sprintf("must have at most %d digits before the point", maxIntegerDigits)}
	case dotted && decimals == 0:
		return Money{}, &FieldError{Field: "value", Problem: currency + " has no decimals"}
	case len(fraction) > decimals:
		return Money{}, &FieldError{Field: "value", Problem: fmt.Sprintf("%s has %d decimals", currency, decimals)}
	}
	var minor int64
	for _, c := range whole + fraction + strings.Repeat("0", decimals-len(fraction)) {
		minor = minor*10 + int64(c-'0')
	}
	return Money{Minor: minor, Currency: currency}, nil
}

func digits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// IsZero reports whether m is no amount at all. Zero won is an amount; Money{} is not.
func (m Money) IsZero() bool { return m == Money{} }

// Value returns the amount in major units with all decimals of its currency: "10000", "483.89".
func (m Money) Value() string { return string(m.appendValue(nil)) }

func (m Money) appendValue(b []byte) []byte {
	decimals := currencies[m.Currency]
	n := uint64(m.Minor)
	if m.Minor < 0 {
		b, n = append(b, '-'), -n
	}
	text := strconv.AppendUint(make([]byte, 0, 20), n, 10)
	for range decimals + 1 - len(text) {
		text = slices.Insert(text, 0, '0')
	}
	b = append(b, text[:len(text)-decimals]...)
	if decimals > 0 {
		b = append(append(b, '.'), text[len(text)-decimals:]...)
	}
	return b
}

// String returns the amount for people: "10000 KRW".
func (m Money) String() string { return m.Value() + " " + m.Currency }

// most is the largest amount that ParseMoney reads in a currency, in minor units.
func most(currency string) int64 {
	limit := int64(1)
	for range maxIntegerDigits + currencies[currency] {
		limit *= 10
	}
	return limit - 1
}

// writable reports whether ParseMoney would read what Value writes.
func (m Money) writable() bool {
	_, known := currencies[m.Currency]
	return known && m.Minor >= 0 && m.Minor <= most(m.Currency)
}

// Add returns the sum. It refuses two currencies, and sums that ParseMoney would not read.
func (m Money) Add(n Money) (Money, error) {
	if m.IsZero() {
		return n, nil
	}
	sum := m.Minor + n.Minor
	if m.Currency != n.Currency {
		return Money{}, fmt.Errorf("add %s to %s: two currencies", n.Currency, m.Currency)
	}
	overflow := (sum > m.Minor) != (n.Minor > 0) && n.Minor != 0
	if limit := most(m.Currency); overflow || sum > limit || sum < -limit {
		return Money{}, fmt.Errorf("add %s to %s: too large", n, m)
	}
	return Money{Minor: sum, Currency: m.Currency}, nil
}

// What surrounds value and currency in the JSON of an amount.
const beforeValue, beforeCurrency, afterCurrency = `{"value":"`, `","currency":"`, `"}`

// MarshalJSON writes {"value":"10000","currency":"KRW"}. It refuses what UnmarshalJSON would refuse
// (less than zero, too large, an unknown currency), because an event with such an amount could never be
// read again. The zero Money, which fields leave out, is written all the same.
func (m Money) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil) }

// AppendJSON appends what MarshalJSON writes to b.
func (m Money) AppendJSON(b []byte) ([]byte, error) {
	if !m.IsZero() && !m.writable() {
		return nil, fmt.Errorf("write %s: not an amount that can be read again", m)
	}
	b = append(m.appendValue(append(b, beforeValue...)), beforeCurrency...) // nothing in it needs an escape
	return append(append(b, m.Currency...), afterCurrency...), nil
}

// UnmarshalJSON reads what MarshalJSON writes; the value must be a JSON string. A [*FieldError] names
// "value" or "currency".
func (m *Money) UnmarshalJSON(data []byte) error {
	if parsed, ours := readMoney(string(data)); ours {
		*m = parsed
		return nil
	}
	var raw struct {
		Value    json.RawMessage `json:"value"`
		Currency string          `json:"currency"`
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&raw); err != nil {
		return &FieldError{Field: "", Problem: `must be an object like {"value":"10000","currency":"KRW"}`}
	}
	var value string
	if err := json.Unmarshal(raw.Value, &value); err != nil || len(raw.Value) == 0 || raw.Value[0] != '"' {
		return &FieldError{Field: "value", Problem: `must be a decimal string, like "10000"`}
	}
	parsed, err := ParseMoney(value, raw.Currency)
	if err != nil {
		return err
	}
	*m = parsed
	return nil
}

// readMoney reads an amount that is written exactly as MarshalJSON writes it, which is nearly always so and
// much quicker. Anything else, also what is no amount, it leaves to the caller.
func readMoney(text string) (Money, bool) {
	inner, begins := strings.CutPrefix(text, beforeValue)
	inner, ends := strings.CutSuffix(inner, afterCurrency)
	value, currency, parted := strings.Cut(inner, beforeCurrency)
	if !begins || !ends || !parted {
		return Money{}, false
	}
	m, err := ParseMoney(value, currency)
	return m, err == nil
}
