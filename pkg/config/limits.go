package config

import (
	"cmp"
	"fmt"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// Rate is how many calls of a provider all workers together make; no Calls means as many as there are.
type Rate struct {
	Calls int `yaml:"calls"`
	// Per is the time for these Calls; 0 means a second.
	Per time.Duration `yaml:"per"`
	// Burst is how many of them may be made at once; 0 means 1.
	Burst int `yaml:"burst"`
}

// Breaker says when a worker stops calling a provider that is down.
type Breaker struct {
	// Off lets every call through.
	Off bool `yaml:"off"`
	// Failures is how many calls in a row find the provider unavailable before calls are stopped; 0 means
	// 5.
	Failures int `yaml:"failures"`
	// OpenFor is how long they are stopped; 0 means 30 seconds.
	OpenFor time.Duration `yaml:"open_for"`
	// Probes is how many calls then find out whether it is back; 0 means 1.
	Probes int `yaml:"probes"`
}

// WhenDown says, by operation, what becomes of a payment that comes while calls are stopped: "park", the
// default, or "reject".
type WhenDown struct {
	Deposit string `yaml:"deposit"`
	Payout  string `yaml:"payout"`
}

// GiveUpAfter says, by operation, how long a payment is tried again of which nothing was executed, counted
// in the provider's opening hours; 0 is for ever.
type GiveUpAfter struct {
	Deposit time.Duration `yaml:"deposit"`
	Payout  time.Duration `yaml:"payout"`
}

// maxSubmits bounds how often an order is sent that the provider does not know: each time is a chance that the
// provider has the order and does not say so.
const maxSubmits = 100

// maxFailures bounds the failures and probes of a breaker, maxCalls the calls and the burst of a rate.
const (
	maxFailures = 10_000
	maxCalls    = 100_000
)

// For returns what is to be done for an operation.
func (w WhenDown) For(op payment.Operation) string {
	if op == payment.Payout {
		return cmp.Or(w.Payout, Park)
	}
	return cmp.Or(w.Deposit, Park)
}

// For returns the time for an operation.
func (g GiveUpAfter) For(op payment.Operation) time.Duration {
	if op == payment.Payout {
		return g.Payout
	}
	return g.Deposit
}

func (provider Provider) validateLimits(p *problems, key string) {
	p.within(key+".rate.calls", provider.Rate.Calls, 0, maxCalls)
	p.within(key+".rate.burst", provider.Rate.Burst, 0, maxCalls)
	p.check(provider.Rate.Per >= 0, key+".rate.per", "must not be negative")
	p.within(key+".breaker.failures", provider.Breaker.Failures, 0, maxFailures)
	p.within(key+".breaker.probes", provider.Breaker.Probes, 0, maxFailures)
	p.check(provider.Breaker.OpenFor >= 0, key+".breaker.open_for", "must not be negative")
	for name, policy := range map[string]string{"deposit": provider.WhenDown.Deposit, "payout": provider.WhenDown.Payout} {
		p.oneOf(key+".when_down."+name, cmp.Or(policy, Park), Park, Reject)
	}
	p.within(key+".max_submits", provider.MaxSubmits, 0, maxSubmits)
	for name, length := range map[string]time.Duration{"deposit": provider.GiveUpAfter.Deposit, "payout": provider.GiveUpAfter.Payout} {
		p.check(length >= 0, key+".give_up_after."+name, "must not be negative")
	}
}

// resolveLimits puts the defaults in effect, so that the summary shows them, and warns of a rate that parks
// commands although the queue could hold them.
func (c *Config) resolveLimits(found *problems, key, name string) {
	provider := c.Providers[name]
	rate, b := &provider.Rate, &provider.Breaker
	rate.Per, rate.Burst = cmp.Or(rate.Per, time.Second), cmp.Or(rate.Burst, 1)
	b.Failures, b.OpenFor, b.Probes = cmp.Or(b.Failures, 5), cmp.Or(b.OpenFor, 30*time.Second), cmp.Or(b.Probes, 1)
	provider.MaxSubmits = cmp.Or(provider.MaxSubmits, 3)
	provider.WhenDown = WhenDown{Deposit: provider.WhenDown.For(payment.Deposit), Payout: provider.WhenDown.For(payment.Payout)}
	c.Providers[name] = provider
	if rate.Calls <= 0 || rate.Per <= 0 {
		return
	}
	found.check(rate.Per/time.Duration(rate.Calls) >= time.Microsecond, key+".rate", "is more than 1,000,000 calls a second")
	if slots := c.ProviderSlots(name); time.Duration(slots)*rate.Per > time.Duration(rate.Calls)*connectors.BudgetTimeout {
		found.origin.warnings = append(found.origin.warnings, fmt.Sprintf(
			"%s.rate: with %d slots, payments wait longer than %s for their turn and are parked; use fewer slots to leave them in the queue", key, slots, connectors.BudgetTimeout))
	}
}
