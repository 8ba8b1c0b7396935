package config_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"payonce/pkg/config"
	"payonce/pkg/secret"
)

func TestSummary(t *testing.T) {
	c := load(t, goodProvider+`
  acme-tw: {kind: acme, webhook_sources: [203.0.113.0/24], settings: {merchant: m-2, base_url: "https://u:${GOOD}@api"}}
nats: {user: me, password: "${GOOD}"}
ingress:
  public_url: https://pay.example.com/
  api_keys: [{name: shop, providers: [acme-kr], sha256: `+hash+`, operations: [deposit]}]
redis: {claim_retention: 400d12h}
`, map[string]string{"GOOD": password}, map[string]string{"conf/key.pem": "hunter2-of-acme-kr"})
	if got := c.Summary(); strings.Contains(got, "m-1") {
		t.Errorf("settings are shown before their secrets are known:\n%s", got)
	}
	if _, err := c.Connectors(kinds, time.Now); err != nil {
		t.Fatal(err)
	}
	got := c.Summary()
	if strings.Contains(got, "hunter2") {
		t.Error("a secret is shown")
	}
	golden := "testdata/summary.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s", got)
	}
}

func TestSummaryShowsDurationsAsTheFileDoes(t *testing.T) {
	for length, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", time.Minute: "1m", time.Hour: "1h", 61 * time.Minute: "1h1m",
		24 * time.Hour: "1d", 400 * 24 * time.Hour: "400d", 100 * time.Millisecond: "100ms", time.Hour + time.Second: "1h0m1s", 10 * time.Minute: "10m",
	} {
		c := config.Defaults()
		c.Worker.Lease = length
		if got := c.Summary(); !strings.Contains(got, "  lease: "+want+"\n") {
			t.Errorf("%s is not shown as %s", length, want)
		}
	}
}

func TestSummaryHidesEverySecretOfItsOwn(t *testing.T) {
	c := config.Defaults()
	key := secret.New(password)
	c.NATS.Credentials, c.NATS.Password, c.NATS.TLS.Key, c.Redis.Password, c.Redis.TLS.Key = key, key, key, key, key
	got := c.Summary()
	if strings.Contains(got, "hunter2") || strings.Count(got, secret.Redacted) != 5 {
		t.Errorf("got\n%s", got)
	}
}
