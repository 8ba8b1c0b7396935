package config

import (
	"strings"
	"time"

	"payonce/pkg/payment"
)

// Approvals says which of people's actions need a second person: settling, failing and cancelling payments, and importing
// payouts. payctl goes by it; workers and ingresses do not.
type Approvals struct {
	// Above has an amount for each currency: what is above it, and what has another currency, needs a second person. Empty
	// means that nothing does.
	Above []Amount `yaml:"above"`
	// Expires is how long a request can be approved.
	Expires time.Duration `yaml:"expires"`
}

// maxApproval bounds how long a request can be approved: what it is about is forgotten by then.
const maxApproval = 30 * day

// Limits are the amounts of Above.
func (a Approvals) Limits() []payment.Money {
	var limits []payment.Money
	for _, one := range a.Above {
		limits = append(limits, one.Money)
	}
	return limits
}

func (a Approvals) validate(p *problems) {
	p.check(0 < a.Expires && a.Expires <= maxApproval, "approvals.expires", "must be positive and at most %s", showDuration(maxApproval))
	seen := map[string]bool{}
	for i, one := range a.Above {
		p.check(!seen[one.Currency], index("approvals.above", i), "has a currency that stands above it already")
		seen[one.Currency] = true
	}
}

// Amount is a value and a currency in the configuration, e.g. "1000000 KRW".
type Amount struct{ payment.Money }

// UnmarshalText reads a value and a currency.
func (a *Amount) UnmarshalText(text []byte) error {
	value, currency, _ := strings.Cut(string(text), " ")
	m, err := payment.ParseMoney(value, currency)
	a.Money = m
	return err
}

// MarshalText is the other way round.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
