package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/config"
)

func TestWatchedFiles(t *testing.T) {
	files := map[string]string{"conf/pw": password}
	source := fake(least+"redis: {password_file: pw}\n", nil, files)
	source, watched := source.Watched()
	if _, err := config.Load(testFile, source); err != nil {
		t.Fatal(err)
	}
	same := func(want bool, when string) {
		t.Helper()
		if got := watched.Now() == watched.Read(); got != want {
			t.Errorf("%s: unchanged is %v", when, got)
		}
	}
	same(true, "at first")
	files["conf/other"] = "new"
	same(true, "another file")
	files["conf/pw"] = password + "!"
	same(false, "another secret")
	delete(files, "conf/pw")
	same(false, "the secret is gone")
	files["conf/pw"] = password
	same(true, "the secret is back")
	if strings.Contains(watched.Read(), "hunter2") {
		t.Error("a secret is kept")
	}
}

func TestWhatWaitsForARestart(t *testing.T) {
	cert, key := selfSigned(t)
	files := map[string]string{"conf/cert": cert, "conf/key": key, "conf/s": password}
	const api, tls = "api_keys: [{name: a, providers: [acme-kr], sha256: 0f}]", "tls: {enabled: true, cert_file: cert, key_file: key}"
	build := func(yaml string) *config.Config {
		t.Helper()
		yaml = strings.ReplaceAll(yaml, "0f", hash)
		c := load(t, yaml, map[string]string{"P": password}, files)
		if _, err := c.Connectors(kinds, time.Now); err != nil {
			t.Fatal(err)
		}
		return c
	}
	const base = "providers: {acme-kr: {kind: acme, settings: {merchant: m, base_url: \"https://a\", private_key_file: s}}}\ningress: {" + api + ", " + tls + "}\n"
	before := build(base)
	for yaml, want := range map[string]string{
		base: "",
		strings.Replace(base, "name: a", "name: b", 1):                                              "",
		strings.Replace(base, "merchant: m", "merchant: other", 1):                                  "",
		strings.Replace(base, "enabled: true, cert_file: cert, key_file: key", "enabled: false", 1): "ingress",
		strings.Replace(base, "key_file: key", "key_file: key, client_ca_file: cert", 1):            "ingress",
		strings.Replace(base, "{"+api, "{max_waiting: 3, "+api, 1):                                  "ingress",
		strings.Replace(base, "kind: acme", "kind: acme, slots: 3", 1):                              "providers.acme-kr",
		strings.Replace(base, "kind: acme", "kind: acme, hours: {always_open: true}", 1):            "providers.acme-kr",
		strings.ReplaceAll(base, "acme-kr", "acme-tw"):                                              "providers.acme-kr providers.acme-tw",
		base + "log: {level: debug}\nworker: {slots: 3}\nreload_every: 1s\nenvironment: test\norder_prefixes: {a: A-}\nnats: {replicas: 3}\nredis: {password: \"${P}\"}\n": "environment log nats order_prefixes redis reload_every worker",
	} {
		if got := strings.Join(before.RequiresRestart(build(yaml)), " "); got != want {
			t.Errorf("%q, want %q, with\n%s", got, want, yaml)
		}
	}
	files["conf/cert"], files["conf/key"] = selfSigned(t)
	if got := before.RequiresRestart(build(base)); !slices.Equal(got, nil) {
		t.Errorf("another certificate: %q", got)
	}
}
