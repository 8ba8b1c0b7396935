package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/config"
)

// allProblems are those that a service says of a file: of Load and of Connectors, in one go.
func allProblems(t *testing.T, yaml string, files map[string]string) []string {
	t.Helper()
	c, _ := config.Load(testFile, fake(yaml, nil, files), config.RoleWorker, config.RoleIngress)
	_, err := c.Connectors(app.Kinds(), time.Now)
	return problemsOf(t, err)
}

// Syntax of values, values, files, TLS, hours, and what only a kind knows: one run says it all, each with line and key, and a
// fault of one key hides none of another.
func TestAllKindsOfProblemsAtOnce(t *testing.T) {
	cert, key := selfSigned(t)
	_, otherKey := selfSigned(t)
	got := allProblems(t, `nats:
  payments_retention: 30m
  tls: {enabled: true, ca_file: bad.pem, cert_file: cert.pem, key_file: other.pem}
redis:
  password_file: nowhere
  tls: {enabled: true, ca_file: bad.pem, cert_file: cert.pem, key_file: nowhere}
ingress:
  api_keys: [{name: shop, providers: [tee], sha256: 2ccd7c17b7d8cfe5d2cb3c0d7c8ce14eb0dcb8a9b32cf8f9e3e17e9c3d8d7a55}]
  tls: {enabled: true, cert_file: bad.pem, key_file: key.pem, client_ca_file: bad.pem, client_certificates: some}
worker:
  slots: many
  lookup_min: 0s
providers:
  eco:
    kind: ecommpay
    rate: {calls: 100000, per: 1ms}
    hours:
      zone: Mars/Olympus
      days: mon-fri
      hours: 8-17
      margin_before_closing: {deposit: 13h, payout: -1m}
    threshold_clock: both
    settings:
      project_id: two
      secret_file: nowhere
      language: KOREAN
      pages: 1
  other:
    kind: stripe
    basic_time: 2d
    threshold: 1d
    hours: {closed: [tomorrow], margin_after_opening: 13h}
  tee:
    kind: teemopay
    hours: {days: mon}
    settings:
      base_url: ftp://gateway.example
      private_key_file: nowhere
      platform_public_keys_file: [nowhere, bad.pem]
      merchant_name: Shop
      settling_delay: 1s
`, map[string]string{"conf/bad.pem": "hunter2", "conf/cert.pem": cert, "conf/key.pem": key, "conf/other.pem": otherKey})
	want := []string{
		"2: nats.payments_retention: must be at least 1h",
		"3: nats.tls.ca: holds no certificate in PEM form",
		"3: nats.tls.cert: and key are not a pair in PEM form",
		"5: redis.password_file: cannot be read: file does not exist",
		"6: redis.tls.ca: holds no certificate in PEM form",
		"6: redis.tls.key_file: cannot be read: file does not exist",
		"9: ingress.tls.cert: and key are not a pair in PEM form",
		"9: ingress.tls.client_ca: holds no certificate in PEM form",
		"9: ingress.tls.client_certificates: must be api or all",
		"11: worker.slots: must be a whole number",
		"12: worker.lookup_min: must be positive",
		"16: providers.eco.rate: is more than 1,000,000 calls a second",
		"18: providers.eco.hours.zone: must be an IANA name",
		"20: providers.eco.hours.hours: must be hours like",
		"21: providers.eco.hours.margin_before_closing.deposit: must be between 0 and 12h",
		"21: providers.eco.hours.margin_before_closing.payout: must be between 0 and 12h",
		"22: providers.eco.threshold_clock: must be one of wall, open",
		"24: providers.eco.settings.project_id: must be a whole number",
		"25: providers.eco.settings.secret_file: cannot be read: file does not exist",
		"26: providers.eco.settings.language: must be two lowercase letters",
		"27: providers.eco.settings.pages: is not a known key",
		"29: providers.other.kind: must be one of diamondpay, ecommpay, teemopay",
		"30: providers.other.basic_time: must be shorter than providers.other.threshold (1d)",
		"32: providers.other.hours.closed[0]: must be a date",
		"32: providers.other.hours.closed_known_until: is required beside closed",
		"32: providers.other.hours.margin_after_opening: must be between 0 and 12h",
		"35: providers.tee.hours.hours: is required",
		"35: providers.tee.hours.zone: is required",
		"36: providers.tee.settings.app_code: must have 1 to 32",
		"37: providers.tee.settings.base_url: must be",
		"38: providers.tee.settings.private_key_file: cannot be read: file does not exist",
		"41: providers.tee.settings.settling_delay: is 1s and must be at least",
		"39: providers.tee.settings.platform_public_keys[1]: is neither PEM nor base64",
		"39: providers.tee.settings.platform_public_keys_file[0]: cannot be read: file does not exist",
	}
	for _, w := range want {
		if !hasProblem(got, w) {
			t.Errorf("missing: %s", w)
		}
	}
	for _, line := range got {
		if !slices.ContainsFunc(want, func(w string) bool { return hasProblem([]string{line}, w) }) {
			t.Errorf("not expected: %s", line)
		}
	}
	if strings.Contains(strings.Join(got, "\n"), "hunter2") {
		t.Error("a secret is shown")
	}
}

// What is wrong with the values of one key is said once, not again by what follows from it.
func TestAProblemIsNotFollowedByOthers(t *testing.T) {
	for yaml, want := range map[string]string{
		"providers: {one: {kind: office, hours: {zone: UTC, days: [mon], hours: 08:00-12:00}}}\n": "providers.one.hours.days: must be a single value",
		"providers: {one: {kind: office, balance_interval: 59s}}\n":                               "providers.one.balance_interval: must be 0s (never), or from 1m to 7d",
		"providers: {one: {kind: office, balance_interval: 1h}}\n":                                "providers.one.balance_interval: must be 0s: this kind of provider has no balance query",
		"providers: {one: {kind: office, balance_interval: 8d}}\n":                                "providers.one.balance_interval: must be 0s (never), or from 1m to 7d",
		"providers: {one: {kind: office, basic_time: -1s}}\n":                                     "providers.one.basic_time: must not be negative",
		"providers: {one: {}}\n": "providers.one.kind: is missing",
	} {
		c, _ := config.Load(testFile, fake(yaml, nil, nil))
		if _, err := c.Connectors(withOffice, time.Now); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), want) {
			t.Errorf("want only %q, have %v", want, err)
		}
	}
}

// A file that is no YAML has one problem, with its line.
func TestSyntaxErrorsHaveTheirLine(t *testing.T) {
	for yaml, want := range map[string]string{
		least + "log:\n  level: info\n  format: \"json\n":    ":5: not YAML: ",
		least + "log:\n\tlevel: info\n":                      ":3: not YAML: ",
		least + "redis: {addresses: [a:1}\n":                 ":2: not YAML: ",
		least + "log:\n  level: info\n format: text\nx: 1\n": ":4: not YAML: ",
	} {
		if _, err := config.Load(testFile, fake(yaml, nil, nil)); err == nil || !strings.HasPrefix(err.Error(), testFile+want) {
			t.Errorf("%q: want %q, have %v", yaml, want, err)
		}
	}
}
