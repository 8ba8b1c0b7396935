package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/config"
	"payonce/pkg/connectors"
)

// patient is a kind whose document names its times.
type patient struct{ connectors.Connector }

func (patient) Traits() connectors.Traits {
	return connectors.Traits{Kind: "patient", SettlingDelay: time.Hour, BasicTime: 2 * time.Hour, Threshold: 24 * time.Hour}
}

var withPatient = append(slices.Clone(withOffice), connectors.Kind{
	Name: "patient", New: func(string, func(any) error, func() time.Time) (connectors.Connector, error) { return patient{}, nil },
})

func TestTimesOfOpenPaymentsInEffect(t *testing.T) {
	for name, c := range map[string]struct {
		provider, nats   string
		basic, threshold time.Duration
	}{
		"nothing documented":         {"{kind: acme, settings: {merchant: m}}", "{}", 10 * time.Minute, 48 * time.Hour},
		"documented":                 {"{kind: patient}", "{}", 2 * time.Hour, 24 * time.Hour},
		"said":                       {"{kind: patient, basic_time: 1h, threshold: 3h}", "{}", time.Hour, 3 * time.Hour},
		"not before it is known":     {"{kind: office}", "{}", time.Hour, 48 * time.Hour},
		"not after it is forgotten":  {"{kind: acme, settings: {merchant: m}}", "{payments_retention: 40d}", 10 * time.Minute, 48 * time.Hour},
		"not after it is forgotten!": {"{kind: acme, settings: {merchant: m}}", "{payments_retention: 2d, webhooks_retention: 2d}", 10 * time.Minute, 24 * time.Hour},
	} {
		loaded := load(t, "nats: "+c.nats+"\nproviders: {one: "+c.provider+"}\n", nil, nil)
		if _, err := loaded.Connectors(withPatient, time.Now); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if is := loaded.Providers["one"]; is.BasicTime != c.basic || is.Threshold != c.threshold {
			t.Errorf("%s: %s and %s, want %s and %s", name, is.BasicTime, is.Threshold, c.basic, c.threshold)
		}
		if !strings.Contains(loaded.Summary(), "basic_time: ") || !strings.Contains(loaded.Summary(), "threshold: ") {
			t.Error("the summary lacks them")
		}
	}
}

func TestProblemsOfTimesOfOpenPayments(t *testing.T) {
	for name, c := range map[string]struct{ key, want string }{
		"negative":         {"basic_time: -1s", "providers.one.basic_time: must not be negative"},
		"negative at last": {"threshold: -1s", "providers.one.threshold: must not be negative"},
		"before it is known": {"basic_time: 59m", "providers.one.basic_time: is 59m and must not be shorter than the settling_delay (1h): " +
			"before that, the provider may not report an order that it has"},
		"the other way round": {"threshold: 2h", "providers.one.basic_time: must be shorter than providers.one.threshold (2h): look-ups are made between the two"},
		"after it is forgotten": {"threshold: 400d", "providers.one.threshold: must be shorter than nats.payments_retention (400d): " +
			"a payment must be kept until it is reported as overdue"},
	} {
		loaded, err := config.Load(testFile, fake("providers:\n  one:\n    kind: patient\n    "+c.key+"\n", nil, nil))
		if err == nil {
			_, err = loaded.Connectors(withPatient, time.Now)
		}
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: got  %v\nwant %s", name, err, c.want)
		}
	}
}
