package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"payonce/pkg/config"
	"payonce/pkg/payment"
)

const endpointSecret = "whsec_b25lIHNlY3JldCBvZiBhbiBlbmRwb2ludCwgMzIrIGJ5dGVz"

func TestEndpointProblems(t *testing.T) {
	const good = "url: https://shop.example/hook, secrets: [\"${HOOK}\"], api_key: shop"
	for _, test := range []struct{ endpoint, problem string }{
		{good, ""},
		{good + ", providers: [acme], operations: [deposit], statuses: [settled, pending], concurrency: 3", ""},
		{"secrets: [\"${HOOK}\"], api_key: shop", "endpoints.shop.url: must be a URL"},
		{"url: http://shop.example/, secrets: [\"${HOOK}\"], api_key: shop", "endpoints.shop.url: must begin with https://; http:// requires allow_networks"},
		{"url: http://shop.internal/, allow_networks: [10.1.0.0/16], secrets: [\"${HOOK}\"], api_key: shop", ""},
		{"url: \"https://kim:pass@shop.example/\", secrets: [\"${HOOK}\"], api_key: shop", "endpoints.shop.url: must have no user, password or fragment"},
		{"url: https://shop.example/, api_key: shop", "endpoints.shop.secrets: must be one secret, or two"},
		{"url: https://shop.example/, secrets: [\"${HOOK}\", \"${HOOK}\", \"${HOOK}\"], api_key: shop", "endpoints.shop.secrets: must be one secret, or two"},
		{"url: https://shop.example/, secrets: [\"${PLAIN}\"], api_key: shop", "endpoints.shop.secrets[0]: must be whsec_ and base64 of the key"},
		{"url: https://shop.example/, secrets: [\"${SHORT}\"], api_key: shop", "endpoints.shop.secrets[0]: must be base64 of 24 to 64 bytes"},
		{"url: https://shop.example/, secrets: [whsec_plain], api_key: shop", "endpoints.shop.secrets[0]: is a secret"},
		{"url: https://shop.example/, secrets: [\"${HOOK}\"]", "endpoints.shop.api_key: must name a key of ingress.api_keys; or set every_upstream: true"},
		{good + ", every_upstream: true", "endpoints.shop.api_key: must name a key"},
		{"url: https://shop.example/, secrets: [\"${HOOK}\"], every_upstream: true", ""},
		{"url: https://shop.example/, secrets: [\"${HOOK}\"], api_key: game", "endpoints.shop.api_key: is not the name of one of ingress.api_keys"},
		{good + ", providers: [other]", "endpoints.shop.providers[0]: is not one of the API key's providers"},
		{"url: https://shop.example/, secrets: [\"${HOOK}\"], every_upstream: true, providers: [absent]", "endpoints.shop.providers[0]: is not one of the providers of this file"},
		{good + ", operations: [payout]", "endpoints.shop.operations[0]: is not one of the API key's operations"},
		{good + ", statuses: [paid]", "endpoints.shop.statuses[0]: must be a status"},
		{good + ", statuses: [settled, settled]", "endpoints.shop.statuses[1]: occurs twice"},
	} {
		_, err := config.Load(testFile, hooks("{shop: {"+test.endpoint+"}}"), config.RoleNotifier)
		switch {
		case test.problem == "" && err != nil:
			t.Errorf("%s: %v", test.endpoint, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: %v, want %s", test.endpoint, err, test.problem)
		}
	}
	if _, err := config.Load(testFile, hooks("{}"), config.RoleNotifier); err == nil || !strings.Contains(err.Error(), "endpoints: requires at least one endpoint") {
		t.Error(err)
	}
}

func hooks(endpoints string) config.Source {
	text := fmt.Sprintf(`environment: test
ingress:
  api_keys: [{name: shop, upstream: Shop, sha256: %s, providers: [acme], operations: [deposit]}]
endpoints: %s
providers:
  acme: {kind: acme, settings: {}}
  other: {kind: acme, settings: {}}
`, strings.Repeat("ab", 32), endpoints)
	return fake(text, map[string]string{"HOOK": endpointSecret, "PLAIN": "plain", "SHORT": "whsec_c2hvcnQ="}, nil)
}

// Only the notifier reads the secrets of endpoints: where other programs run, their files need not be.
func TestOnlyTheNotifierReadsEndpointSecrets(t *testing.T) {
	const absent = "{shop: {url: https://shop.example/, secrets_file: [absent.secret], api_key: shop}}"
	if _, err := config.Load(testFile, hooks(absent), config.RoleWorker); err != nil {
		t.Error(err)
	}
	if _, err := config.Load(testFile, hooks(absent), config.RoleNotifier); err == nil || !strings.Contains(err.Error(), "secrets") {
		t.Errorf("%v", err)
	}
}

// An endpoint is sent its API key's payments: of the key's upstream, at its providers, of its operations, and outcomes where it
// names no statuses.
func TestEndpointHasTheRightsOfItsKey(t *testing.T) {
	c, err := config.Load(testFile, hooks("{shop: {url: https://shop.example/, secrets: [\"${HOOK}\"], api_key: shop}}"), config.RoleNotifier)
	if err != nil {
		t.Fatal(err)
	}
	e := c.SendTo()[0]
	if e.Upstream != "Shop" || e.EveryUpstream || !slices.Equal(e.Providers, []string{"acme"}) || !slices.Equal(e.Operations, []payment.Operation{payment.Deposit}) ||
		!slices.Equal(e.Statuses, []payment.Status{payment.Settled, payment.Failed, payment.Reversed, payment.Conflict}) || e.Concurrency != c.Notifier.Concurrency {
		t.Errorf("%+v", e)
	}
	if summary := c.Summary(); strings.Contains(summary, endpointSecret) {
		t.Error(summary)
	}
}
