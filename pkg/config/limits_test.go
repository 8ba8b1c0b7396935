package config_test

import (
	"strings"
	"testing"
	"time"

	"payonce/pkg/config"
	"payonce/pkg/payment"
)

func TestLimitsInEffect(t *testing.T) {
	one := "providers: {one: {kind: acme, settings: {merchant: m}"
	for name, c := range map[string]struct {
		keys string
		want config.Provider
	}{
		"nothing said": {"", config.Provider{
			Rate: config.Rate{Per: time.Second, Burst: 1}, Breaker: config.Breaker{Failures: 5, OpenFor: 30 * time.Second, Probes: 1},
			WhenDown: config.WhenDown{Deposit: config.Park, Payout: config.Park},
		}},
		"everything": {", rate: {calls: 30, per: 1m, burst: 3}, breaker: {off: true, failures: 7, open_for: 2m, probes: 4}, when_down: {deposit: reject, payout: reject}, give_up_after: {deposit: 1h, payout: 3d}", config.Provider{
			Rate: config.Rate{Calls: 30, Per: time.Minute, Burst: 3}, Breaker: config.Breaker{Off: true, Failures: 7, OpenFor: 2 * time.Minute, Probes: 4},
			WhenDown: config.WhenDown{Deposit: config.Reject, Payout: config.Reject}, GiveUpAfter: config.GiveUpAfter{Deposit: time.Hour, Payout: 72 * time.Hour},
		}},
	} {
		loaded := load(t, one+c.keys+"}}\n", nil, nil)
		if _, err := loaded.Connectors(kinds, time.Now); err != nil {
			t.Fatal(err)
		}
		is := loaded.Providers["one"]
		if is.Rate != c.want.Rate || is.Breaker != c.want.Breaker || is.WhenDown != c.want.WhenDown || is.GiveUpAfter != c.want.GiveUpAfter {
			t.Errorf("%s: %+v", name, is)
		}
	}
	mixed := config.WhenDown{Deposit: config.Reject}
	if mixed.For(payment.Deposit) != config.Reject || mixed.For(payment.Payout) != config.Park {
		t.Error("the operations of when_down are mixed up")
	}
	times := config.GiveUpAfter{Deposit: 1, Payout: 2}
	if times.For(payment.Deposit) != 1 || times.For(payment.Payout) != 2 {
		t.Error("the operations of give_up_after are mixed up")
	}
}

func TestARateTooSlowForItsSlotsIsWarnedOf(t *testing.T) {
	for keys, warned := range map[string]bool{
		"slots: 32":                                   false,
		"slots: 32, rate: {calls: 32, per: 1m}":       false,
		"slots: 33, rate: {calls: 32, per: 1m}":       true,
		"rate: {calls: 1, per: 2s}":                   true, // 128 slots by default
		"slots: 30, rate: {calls: 1, per: 2s}":        false,
		"slots: 32, rate: {calls: 40000, per: 1200h}": true,
	} {
		c := load(t, "providers: {one: {kind: acme, settings: {merchant: m}, "+keys+"}}\n", nil, nil)
		if _, err := c.Connectors(kinds, time.Now); err != nil {
			t.Fatal(err)
		}
		warnings := c.Warnings()
		if (len(warnings) == 1) != warned || warned && !strings.HasPrefix(warnings[0], "providers.one.rate: with ") {
			t.Errorf("%s: %q", keys, warnings)
		}
	}
}

func TestProblemsOfLimits(t *testing.T) {
	for keys, want := range map[string]string{
		"rate: {calls: -1}":             "providers.one.rate.calls: must be between 0 and 100000",
		"rate: {calls: 1, burst: -1}":   "providers.one.rate.burst: must be between 0 and 100000",
		"breaker: {failures: -1}":       "providers.one.breaker.failures: must be between 0 and 10000",
		"breaker: {probes: 10001}":      "providers.one.breaker.probes: must be between 0 and 10000",
		"when_down: {payout: send}":     "providers.one.when_down.payout: must be one of park, reject",
		"rate: {calls: 1, per: -1s}":    "providers.one.rate.per: must not be negative",
		"breaker: {open_for: -1s}":      "providers.one.breaker.open_for: must not be negative",
		"give_up_after: {payout: -1s}":  "providers.one.give_up_after.payout: must not be negative",
		"give_up_after: {deposit: -1s}": "providers.one.give_up_after.deposit: must not be negative",
	} {
		_, err := config.Load(testFile, fake("providers: {one: {kind: acme, "+keys+"}}\n", nil, nil))
		if err == nil || err.Error() != testFile+":1: "+want {
			t.Errorf("%s: %v", keys, err)
		}
	}
}
