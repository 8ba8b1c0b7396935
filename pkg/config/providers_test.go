package config_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/secret"
)

type prefix = netip.Prefix

// acmeSettings is what a kind may ask for.
type acmeSettings struct {
	acmeAccount
	BaseURL        string            `yaml:"base_url"`
	PrivateKey     secret.Value      `yaml:"private_key"`
	WebhookSecrets []secret.Value    `yaml:"webhook_secrets"`
	SettlingDelay  time.Duration     `yaml:"settling_delay"`
	Banks          map[string]string `yaml:"banks"`
	Limits         *acmeLimits       `yaml:"limits"`
	Zone           zone              `yaml:"zone"`
	untagged       int
	Ignored        int     `yaml:"-"`
	Ratio          float64 `yaml:"ratio"`
}

type acmeAccount struct {
	Merchant string `yaml:"merchant"`
}

type acmeLimits struct {
	Max int64 `yaml:"max"`
}

// zone is a type of the kind's own.
type zone string

func (z *zone) UnmarshalText(text []byte) error {
	if string(text) != "kr" {
		return fmt.Errorf("no zone %q", text)
	}
	*z = zone(text)
	return nil
}

// acme is a connector that is made and never called.
type acme struct {
	connectors.Connector
	settings *acmeSettings
	provider string
	now      func() time.Time
}

func (a acme) Traits() connectors.Traits {
	return connectors.Traits{Kind: "acme", Operations: []payment.Operation{payment.Deposit}, SettlingDelay: a.settings.SettlingDelay}
}

func newAcme(provider string, decode func(any) error, now func() time.Time) (connectors.Connector, error) {
	s := &acmeSettings{SettlingDelay: 5 * time.Minute, untagged: 1}
	problems := []error{decode(s)}
	if s.Merchant == "" {
		problems = append(problems, errors.New("merchant: is missing"))
	}
	if strings.HasPrefix(s.BaseURL, "http:") {
		problems = append(problems, errors.New("base_url must be https"))
	}
	if s.PrivateKey.Reveal() == "wrong key of the account" {
		problems = append(problems, errors.New("private_key: is not PEM"))
	}
	if s.BaseURL == "https://down" {
		problems = append(problems, errors.New("something else\nis wrong"))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("acme %s: %w", provider, err)
	}
	return acme{settings: s, provider: provider, now: now}, nil
}

var kinds = []connectors.Kind{{Name: "zeta", New: newAcme}, {Name: "acme", New: newAcme}}

const goodProvider = `
providers:
  acme-kr:
    kind: acme
    settings:
      merchant: m-1
      base_url: https://api.acme.example
      private_key_file: key.pem
      webhook_secrets: ["${GOOD}", "x${GOOD}"]
      settling_delay: 10m
      banks: {kb: "004"}
      limits: {max: 1000000}
      zone: kr
`

func TestConnectorsAreMade(t *testing.T) {
	c := load(t, goodProvider+"  acme-tw: {kind: acme, settings: {merchant: m-2, webhook_secrets_file: [open1, other.pem]}}\n",
		map[string]string{"GOOD": password}, map[string]string{"conf/key.pem": "-----BEGIN KEY-----\n\n", "conf/other.pem": "-----BEGIN OTHER KEY-----\n\n", "conf/open1": "one-" + password})
	start := time.Unix(1, 0)
	registry, err := c.Connectors(kinds, func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	if got := registry.Names(); len(got) != 2 || got[0] != "acme-kr" || got[1] != "acme-tw" {
		t.Fatalf("got %v", got)
	}
	connector, _ := registry.Get("acme-kr")
	a := connector.(acme)
	s := a.settings
	if s.Merchant != "m-1" || s.BaseURL != "https://api.acme.example" || s.SettlingDelay != 10*time.Minute ||
		s.Banks["kb"] != "004" || s.Limits.Max != 1000000 || s.Zone != "kr" || a.provider != "acme-kr" || a.now() != start {
		t.Errorf("got %+v", a)
	}
	if s.PrivateKey.Reveal() != "-----BEGIN KEY-----\n" || len(s.WebhookSecrets) != 2 || s.WebhookSecrets[1].Reveal() != "x"+password {
		t.Error("the secrets are not those of the file and the environment")
	}
	connector, _ = registry.Get("acme-tw")
	if s := connector.(acme).settings; len(s.WebhookSecrets) != 2 || s.WebhookSecrets[0].Reveal() != "one-"+password || s.SettlingDelay != 5*time.Minute {
		t.Errorf("got %+v", s)
	}
	if got := c.Warnings(); len(got) != 1 || !strings.Contains(got[0], "acme-tw.settings.webhook_secrets_file[0]") {
		t.Errorf("warnings: %q", got)
	}
}

func TestProblemsOfAllProvidersAtOnce(t *testing.T) {
	c := load(t, `providers:
  a:
    kind: acme
    settings:
      merchnt: m-1
      base_url: http://api.acme.example
      private_key: `+password+`
      webhook_secrets: ["`+password+`"]
      limits: {max: much, min: 1}
      zone: hunter2
      ratio: 0.5
  b:
    kind: nobody
  c:
    kind: zeta
    settings: {merchant: m, settling_delay: 55s}
  d:
    kind: acme
  e:
    kind: acme
    settings: []
  f:
    kind: acme
    settings:
      merchant: f
      private_key_file: key.pem
  g: {kind: acme, settings: {merchant: g, base_url: "https://down"}}
  h: {kind: acme, settings: {merchant: g, settling_delay: 60s}}
`, nil, map[string]string{"conf/key.pem": "wrong key of the account"})
	_, err := c.Connectors(kinds, time.Now)
	want := []string{
		`4: providers.a.settings.merchant: is missing`,
		`5: providers.a.settings.merchnt: is not a known key; known are banks, base_url, limits, merchant, private_key, ratio, settling_delay, webhook_secrets, zone`,
		`6: providers.a.settings.base_url: must be https`,
		`7: providers.a.settings.private_key: is a secret: set it by private_key_file or ${ENV}, not in this file`,
		`8: providers.a.settings.webhook_secrets[0]: is a secret: set it by webhook_secrets_file or ${ENV}, not in this file`,
		`9: providers.a.settings.limits.max: must be a whole number`,
		`9: providers.a.settings.limits.min: is not a known key; known are max`,
		`10: providers.a.settings.zone: cannot be read as config_test.zone`,
		`11: providers.a.settings.ratio: has an unsupported type: float64`,
		`13: providers.b.kind: must be one of acme, zeta`,
		`16: providers.c.settings.settling_delay: is 55s and must be at least worker.lease + worker.submit_timeout + worker.clock_bound (56s), so that an abandoned request cannot arrive after the provider said that it does not know the order`,
		`17: providers.d.settings.merchant: is missing`,
		`21: providers.e.settings: must be a mapping of keys to values`,
		`21: providers.e.settings.merchant: is missing`,
		`26: providers.f.settings.private_key: is not PEM`,
		`27: providers.g.settings: something else; is wrong`,
	}
	got := problemsOf(t, err)
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = testFile + ":" + want[i]
		}
		if g != w {
			t.Errorf("problem %d\ngot  %s\nwant %s", i, g, w)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("a secret is shown")
	}
}

func TestConnectorsWithoutAFile(t *testing.T) {
	c := config.Defaults()
	c.Providers = map[string]config.Provider{"acme-kr": {Kind: "acme"}}
	_, err := c.Connectors(kinds, time.Now)
	if err == nil || err.Error() != "providers.acme-kr.settings.merchant: is missing" {
		t.Errorf("got %v", err)
	}
}

func TestDecodeWantsAPointer(t *testing.T) {
	for _, bad := range []any{nil, acmeSettings{}, new(int), (*acmeSettings)(nil)} {
		if err := (config.Provider{Kind: "acme"}).Decode(bad); err == nil {
			t.Errorf("%T is taken", bad)
		}
	}
}
