package app_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/internal/app"
	"payonce/pkg/ingress"
	sandbox "payonce/pkg/sandbox/diamondpay"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// timeout is how long to wait for what must happen.
const timeout = 60 * time.Second

// authority signs certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.pem, _, a.cert, a.key = a.issue(t, "authority", true)
	return a
}

// issue returns a certificate and its key in PEM form.
func (a *authority) issue(t *testing.T, name string, ca bool) (certPEM, keyPEM string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IsCA: ca, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	parent, signer := a.cert, a.key
	if ca {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})), cert, key
}

// running is a real ingress with TLS, whose files a test changes.
type running struct {
	t      *testing.T
	dir    string
	url    string
	logs   *testenv.Logs
	ca     *authority
	client *http.Client // shows a certificate of the CA
}

// change writes files and waits until the ingress has said so.
func (r *running) change(says string, files map[string]string) {
	r.t.Helper()
	before := strings.Count(r.logs.String(), says)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	r.waitFor(says, func() bool { return strings.Count(r.logs.String(), says) > before })
}

func (r *running) waitFor(what string, done func() bool) {
	r.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(timeout); !done(); {
		select {
		case <-tick.C:
		case <-end:
			r.t.Fatalf("%s did not happen within %s; log:\n%s", what, timeout, r.logs.String())
		}
	}
}

func (r *running) status(client *http.Client, method, path, key string, body []byte) int {
	r.t.Helper()
	req, err := http.NewRequest(method, r.url+path, bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (r *running) mustBe(want int, what string, got int) {
	r.t.Helper()
	if got != want {
		r.t.Errorf("%s: status %d, want %d", what, got, want)
	}
}

// webhook is a call of Diamond Pay that is signed with a secret.
func (r *running) webhook(secret string) int {
	r.t.Helper()
	body, err := sandbox.SignedRequest(sandbox.HMACSHA256, secret, map[string]any{
		"platform_id": "PF0002", "payment_cl_id": "D-1", "payment_id": "1", "amount": "10000", "real_amount": "10000", "status": "2", "currency": "KRW",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.status(r.client, "POST", "/webhooks/"+testenv.DiamondPayV2, "", body)
}

// clientOf returns a client that believes in the authority and shows a certificate, if there is one.
func clientOf(t *testing.T, a *authority, certPEM, keyPEM string) *http.Client {
	t.Helper()
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	cfg.RootCAs.AddCert(a.cert)
	if certPEM != "" {
		pair, err := tls.X509KeyPair([]byte(certPEM), []byte(keyPEM))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Timeout: timeout, Transport: &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}}
}

const rotating = `
environment: test
reload_every: 20ms
nats: {urls: ["{{NATS}}"]}
ingress:
  listen: 127.0.0.1:0
  tls: {enabled: true, cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem}
  api_keys: [{name: shop, sha256_file: shop.sha256}]
providers:
  diamondpay-kr-v2:
    kind: diamondpay
    settings: {base_url: "http://127.0.0.1:1", platform_id: PF0002, secret_file: secret, previous_secrets_file: [previous],
      sign_type: HMAC-SHA256, currency: KRW, version: v2, callback_url: "http://127.0.0.1:1/x", settling_delay: 5m}
`

// Secrets of the test, with the mark of the sandbox.
const (
	firstSecret  = "sandbox-first-secret-of-the-test"
	secondSecret = "sandbox-second-secret-of-the-test"
)

func startRotating(t *testing.T, key string) *running {
	t.Helper()
	r := &running{t: t, dir: t.TempDir(), logs: &testenv.Logs{}, ca: newAuthority(t)}
	cert, private, _, _ := r.ca.issue(t, "one", false)
	for name, text := range map[string]string{
		"payonce.yaml": strings.Replace(rotating, "{{NATS}}", natstest.Start(t).URL(), 1), "secret": firstSecret, "previous": firstSecret,
		"cert.pem": cert, "key.pem": private, "ca.pem": r.ca.pem, "shop.sha256": hashOf(t, key),
	} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	service := app.Ingress()
	rt, err := app.Load(service, filepath.Join(r.dir, "payonce.yaml"), r.logs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, listening := make(chan error, 1), make(chan string, 1)
	go func() { ended <- service.Run(ctx, rt, func(message string) { listening <- message }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the ingress ended with %v", err)
		}
	})
	select {
	case message := <-listening:
		r.url = "https://" + strings.TrimPrefix(message, "listening on ")
	case err := <-ended:
		ended <- err
		t.Fatal(err)
	}
	mine, minesKey, _, _ := r.ca.issue(t, "client", false)
	r.client = clientOf(t, r.ca, mine, minesKey)
	return r
}

func hashOf(t *testing.T, key string) string {
	t.Helper()
	hash, err := ingress.HashKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// What the log says of a changed configuration.
const (
	taken    = "configuration reloaded"
	notTaken = "the changed configuration is refused"
	waiting  = "require a restart"
)

// TestRotationWithoutRestart changes every kind of secret under a real ingress, and a bad file changes
// nothing.
func TestRotationWithoutRestart(t *testing.T) {
	reader := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	oldKey, newKey := strings.Repeat("o", 40), strings.Repeat("n", 40)
	r := startRotating(t, oldKey)
	list := func(client *http.Client, key string) int { return r.status(client, "GET", "/v1/providers", key, nil) }

	r.mustBe(200, "the first key", list(r.client, oldKey))
	r.mustBe(403, "no client certificate", list(clientOf(t, r.ca, "", ""), oldKey))
	r.mustBe(200, "the first secret", r.webhook(firstSecret))
	r.mustBe(401, "the second secret, too early", r.webhook(secondSecret))

	r.change(taken, map[string]string{"secret": secondSecret})
	r.mustBe(200, "the second secret", r.webhook(secondSecret))
	r.mustBe(200, "the first secret beside it", r.webhook(firstSecret))
	r.change(taken, map[string]string{"previous": secondSecret})
	r.mustBe(401, "the first secret, retired", r.webhook(firstSecret))

	r.change(notTaken, map[string]string{"secret": ""})
	r.change(notTaken, map[string]string{"shop.sha256": "nonsense"}) // another bad one is reported again
	r.mustBe(200, "the first key after bad files", list(r.client, oldKey))
	r.mustBe(200, "the second secret after bad files", r.webhook(secondSecret))
	r.change(taken, map[string]string{"shop.sha256": hashOf(t, newKey), "secret": secondSecret})
	r.mustBe(200, "the second key", list(r.client, newKey))
	r.mustBe(401, "the first key, retired", list(r.client, oldKey))

	cert, key, leaf, _ := r.ca.issue(t, "two", false)
	if shown(t, r).Equal(leaf) {
		t.Fatal("the new certificate is shown before it is there")
	}
	r.change(notTaken, map[string]string{"cert.pem": cert}) // with the old key it is no pair
	r.change(taken, map[string]string{"key.pem": key})
	if !shown(t, r).Equal(leaf) {
		t.Error("the old certificate is shown")
	}
	others := newAuthority(t)
	r.change(taken, map[string]string{"ca.pem": others.pem})
	if _, err := r.client.Get(r.url + "/healthz"); err == nil {
		t.Error("a certificate of the old authority is taken")
	}
	theirs, theirsKey, _, _ := others.issue(t, "client", false)
	r.client = clientOf(t, r.ca, theirs, theirsKey)
	r.mustBe(200, "a certificate of the new authority", list(r.client, newKey))

	yaml, err := os.ReadFile(filepath.Join(r.dir, "payonce.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r.change(waiting, map[string]string{"payonce.yaml": string(yaml) + "worker: {slots: 3}\n"})
	if !strings.Contains(r.logs.String(), `"keys":["worker"]`) {
		t.Errorf("what waits for a restart is not named:\n%s", r.logs.String())
	}
	r.change(notTaken, map[string]string{"payonce.yaml": strings.ReplaceAll(string(yaml), "diamondpay-kr-v2", "renamed")})
	r.mustBe(200, "the second secret of a provider that was renamed in the file", r.webhook(secondSecret))
	r.waitFor("6 that are taken and 4 that are not", func() bool { // each is counted after it is logged
		counts := reloads(t, reader)
		return counts[app.ReloadTaken] >= 6 && counts[app.ReloadRefused] >= 4
	})
	for _, secret := range []string{firstSecret, secondSecret, oldKey, newKey, "PRIVATE KEY"} {
		if strings.Contains(r.logs.String(), secret) {
			t.Errorf("the log shows %s", secret)
		}
	}
}

// shown returns the certificate that the ingress shows.
func shown(t *testing.T, r *running) *x509.Certificate {
	t.Helper()
	resp, err := r.client.Get(r.url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.TLS.PeerCertificates[0]
}

func reloads(t *testing.T, reader *metric.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == app.CounterReloads {
				for _, point := range sum.DataPoints {
					outcome, _ := point.Attributes.Value(app.AttributeOutcome)
					counts[outcome.AsString()] = point.Value
				}
			}
		}
	}
	return counts
}
