package app

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const leased = `
environment: test
nats: {urls: ["nats://127.0.0.1:1"]}
redis: {addresses: ["127.0.0.1:1"]}
worker: {lease: 50s, submit_timeout: 10s, clock_bound: 0s}
providers:
  diamondpay-kr-v2:
    kind: diamondpay
    settings: {base_url: "http://127.0.0.1:1", platform_id: PF0002, secret_file: secret, sign_type: HMAC-SHA256,
      currency: KRW, version: v2, callback_url: "http://127.0.0.1:1/x", settling_delay: 60s}
`

// A shorter lease waits for a restart, so the shorter settling delay that fits to it must wait, too: until then
// "I do not know this order" would be believed while a worker that was suspended can send it.
func TestAReloadKeepsTheSettlingDelayOverTheLeaseInEffect(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "payonce.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("secret", "sandbox-secret-of-the-test-of-reloads")
	write("payonce.yaml", leased)
	rt, err := Load(Worker(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	settling := func() time.Duration {
		connector, _ := rt.Connectors.Get("diamondpay-kr-v2")
		return connector.Traits().SettlingDelay
	}
	write("payonce.yaml", strings.NewReplacer("lease: 50s", "lease: 40s", "settling_delay: 60s", "settling_delay: 50s").Replace(leased))
	if err := rt.replace(nil); err == nil || !strings.Contains(err.Error(), "diamondpay-kr-v2") {
		t.Errorf("the shorter settling delay gave %v", err)
	}
	if settling() != 60*time.Second {
		t.Errorf("the settling delay in effect is %s", settling())
	}
	write("payonce.yaml", strings.NewReplacer("lease: 50s", "lease: 40s", "settling_delay: 60s", "settling_delay: 80s").Replace(leased))
	if err := rt.replace(nil); err != nil || settling() != 80*time.Second {
		t.Errorf("a longer one is not taken: %v, %s", err, settling())
	}
}
