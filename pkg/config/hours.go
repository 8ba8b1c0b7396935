package config

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// Hours say when a provider takes payments. Where zone, days, hours and week are all left out, those of the
// kind stand in their place, and the other keys complete them; most kinds are always open.
type Hours struct {
	// AlwaysOpen, whatever the kind says.
	AlwaysOpen bool `yaml:"always_open"`
	calendar.Config
	// MarginBeforeClosing is what is set aside before a closing.
	MarginBeforeClosing Margins    `yaml:"margin_before_closing"`
	WhenClosed          WhenClosed `yaml:"when_closed"`

	parsed map[payment.Operation]calendar.Hours // what is in effect, after [Config.Connectors]
}

// Margins are lengths of time by operation; nil takes what the kind says. One value in the file is for both.
type Margins struct {
	Deposit *time.Duration `yaml:"deposit"`
	Payout  *time.Duration `yaml:"payout"`
}

// of returns the margin of an operation.
func (m *Margins) of(op payment.Operation) **time.Duration {
	if op == payment.Payout {
		return &m.Payout
	}
	return &m.Deposit
}

// WhenClosed says, by operation, what becomes of a payment that comes while the provider is closed: "park",
// the default, "reject" or "send".
type WhenClosed struct {
	Deposit string `yaml:"deposit"`
	Payout  string `yaml:"payout"`
}

// What becomes of a payment while its provider is closed.
const (
	Park   = "park"   // it waits for the next opening
	Reject = "reject" // it fails at once
	Send   = "send"   // it is sent all the same
)

// For returns what is to be done for an operation.
func (w WhenClosed) For(op payment.Operation) string {
	if op == payment.Payout {
		return cmp.Or(w.Payout, Park)
	}
	return cmp.Or(w.Deposit, Park)
}

// Calendar returns the hours that are in effect for an operation. They are known after [Config.Connectors].
func (h Hours) Calendar(op payment.Operation) calendar.Hours { return h.parsed[op] }

func (h Hours) validate(p *problems, key string) {
	for name, policy := range map[string]string{"deposit": h.WhenClosed.Deposit, "payout": h.WhenClosed.Payout} {
		p.oneOf(key+".when_closed."+name, cmp.Or(policy, Park), Park, Reject, Send)
	}
	p.check(!h.AlwaysOpen || reflect.ValueOf(h.Config).IsZero() && h.MarginBeforeClosing == Margins{}, key+".always_open", "excludes hours: set one of them")
}

// completed returns the kind's hours with what an account has beside them.
func completed(kind, own calendar.Config) calendar.Config {
	kind.Closed = append(slices.Clone(kind.Closed), own.Closed...)
	kind.ClosedKnownUntil = cmp.Or(own.ClosedKnownUntil, kind.ClosedKnownUntil)
	kind.MarginAfterOpening = cmp.Or(own.MarginAfterOpening, kind.MarginAfterOpening)
	return kind
}

// alwaysOpen stands for the hours of a kind that is not known, so that what the file has beside them is checked.
var alwaysOpen = connectors.Traits{Hours: calendar.Config{Zone: "UTC", Days: "mon-sun", Hours: "00:00-24:00"}}

// resolveHours puts the hours in effect that the file and the kind give together. Their problems have the
// lines of the file.
func (c *Config) resolveHours(found *problems, key, name string, traits *connectors.Traits, now time.Time) {
	if traits == nil {
		traits = &alwaysOpen
	}
	provider := c.Providers[name]
	h := &provider.Hours
	if !h.AlwaysOpen && h.Zone == "" && h.Days == "" && h.Hours == "" && len(h.Week) == 0 {
		h.Config = completed(traits.Hours, h.Config)
	}
	h.WhenClosed = WhenClosed{Deposit: h.WhenClosed.For(payment.Deposit), Payout: h.WhenClosed.For(payment.Payout)}
	h.parsed = map[payment.Operation]calendar.Hours{}
	keys := map[string]reflect.Value{}
	fieldsOf(reflect.ValueOf(*h), keys, map[string]string{})
	for _, op := range payment.Operations() {
		hours := h.Config
		hours.MarginBeforeClosing = h.resolveMargin(op, *traits)
		parsed, err := calendar.Parse(hours)
		of := "margin_before_closing." + string(op)
		_, given := found.origin.lines[key+".hours."+of]
		for _, fault := range leaves(err) {
			if given {
				fault = errors.New(strings.Replace(fault.Error(), "margin_before_closing", of, 1))
			}
			found.addErrors(key+".hours", fault, keys)
		}
		h.parsed[op] = parsed
	}
	if warning := h.parsed[payment.Deposit].Warning(now); warning != "" {
		found.origin.warnings = append(found.origin.warnings, key+".hours: "+warning)
	}
	c.Providers[name] = provider
}

// resolveMargin puts the margin before a closing in effect: the file's, or else the kind's for the operation, or else
// that of the kind's hours. A provider that never closes has none of its kind's.
func (h *Hours) resolveMargin(op payment.Operation, traits connectors.Traits) time.Duration {
	margin := h.MarginBeforeClosing.of(op)
	if *margin == nil {
		kinds, given := traits.MarginBeforeClosing[op]
		if !given || reflect.ValueOf(h.Config).IsZero() {
			kinds = h.Config.MarginBeforeClosing
		}
		*margin = &kinds
	}
	return **margin
}
