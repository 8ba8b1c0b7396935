package faults

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/ingress"
	"payonce/pkg/secret"
	"payonce/test/testenv"
	"payonce/test/testmerchant"
)

// What a person would not want to find anywhere, and what no outsider may know. The commands of a test environment
// hold these.
var personal = []string{"홍길동", "길동", "hong@example.com", "01012345678", "198.51.100.7", "29900000000000", clarified}

// clarified is what the customer answers to the provider's question.
const clarified = "Clarissa-Hongsworth"

// wrongKeyOrder is an order at whose request the provider refuses our account, once.
const wrongKeyOrder = "WRONGKEY"

// unreachable is a provider at whose address no server listens.
const unreachable = "unreachable-kr"

// observed is the whole system as processes, as talkative as they can be: ingress, workers and the providers'
// sandbox; NATS and Redis with passwords; and a collector.
type observed struct {
	*system
	collector        *collector
	shop             *testmerchant.Shop
	limited          string // an API key that may do little
	natsPassword     string
	env              []string
	secrets          []string
	admins           map[string]string // by service
	ingress, working *testenv.Process

	mu      sync.Mutex
	answers bytes.Buffer // what the ingress answered its clients when it refused
}

func random() string {
	text := make([]byte, 24)
	_, _ = rand.Read(text)
	return hex.EncodeToString(text)
}

func observe(t *testing.T) *observed {
	o := &observed{collector: startCollector(t), limited: random(), admins: map[string]string{}}
	passwords := map[string]string{"TELEMETRY_NATS": random(), "TELEMETRY_REDIS": random(), "TELEMETRY_COLLECTOR": random()}
	for name, value := range passwords {
		o.env, o.secrets = append(o.env, name+"="+value), append(o.secrets, value)
	}
	o.natsPassword = passwords["TELEMETRY_NATS"]
	o.env = append(o.env, "OTEL_EXPORTER_OTLP_ENDPOINT="+o.collector.url, "OTEL_EXPORTER_OTLP_HEADERS=x-key="+passwords["TELEMETRY_COLLECTOR"],
		"OTEL_BSP_SCHEDULE_DELAY=200", "OTEL_METRIC_EXPORT_INTERVAL=1000")
	sandboxAt := testenv.FreeAddress(t)
	front := o.startFront(t, "http://"+sandboxAt)
	o.system = prepareWith(t, front, testenv.NATSOptions{Lines: fmt.Sprintf("authorization { user: payonce, password: %q }", o.natsPassword)})
	o.redis.MustDo("CONFIG SET requirepass " + passwords["TELEMETRY_REDIS"])
	o.shop = &testmerchant.Shop{Ingress: "http://" + o.At.Listen, Sandbox: "http://" + sandboxAt, Key: o.APIKey}
	o.secrets = append(o.secrets, o.APIKey, o.limited, o.Keys.SharedSecret(), o.token())
	o.configure()
	o.Unhurried()
	o.startSandboxProgram(sandboxAt)
	o.ingress = o.launch(shipped(t, "ingress"), "ingress", "listening on")
	o.Log = testenv.Connect(t, jetstream.Options{URLs: o.At.NATS, User: "payonce", Password: secret.New(o.natsPassword)})
	return o
}

func (o *observed) token() string {
	token, err := os.ReadFile(filepath.Join(o.Dir, "keys", "token"))
	o.Must(err)
	return string(token)
}

// configure makes the test environment's configuration one with passwords, metrics, short times, a second API key, and a
// provider that no worker can reach.
func (o *observed) configure() {
	hash, err := ingress.HashKey(o.limited)
	o.Must(err)
	for _, service := range []string{"ingress", "worker"} {
		o.admins[service] = o.Admin(service)
	}
	o.Edit("environment: test\n", "environment: test\nreload_every: 1s\n",
		"\nnats:\n", "\nnats:\n  upstreams: [shop]\n  user: payonce\n  password: ${TELEMETRY_NATS}\n",
		"\nredis:\n", "\nredis:\n  password: ${TELEMETRY_REDIS}\n",
		"    - name: testenv\n", "    - name: testenv\n      balance: true\n",
		"  api_keys:\n", "  api_keys:\n    - {name: limited, sha256: "+hash+", requests_per_second: 1, burst: 1}\n",
		"format: text", "format: json",
		"  diamondpay-kr-v2:\n", "  diamondpay-kr-v2:\n    basic_time: 7s\n    threshold: 8s\n")
	o.Edit("  teemopay-kr:\n", fmt.Sprintf(`  %s:
    kind: teemopay
    breaker: {failures: 2, open_for: 2s}
    rate: {calls: 1000, burst: 1000}
    hours: {zone: "+09:00", days: mon-sun, hours: "00:00-24:00", closed: [2098-01-01], closed_known_until: 2098-12-31}
    settings:
      base_url: http://%s
      app_code: test-app
      private_key_file: keys/merchant_private.pem
      platform_public_keys_file: [keys/platform_public.pem]
      merchant_name: Test Shop
      settling_delay: 5s
  teemopay-kr:
    basic_time: 7s
    rate: {calls: 1000, burst: 1000}
`, unreachable, testenv.FreeAddress(o.t)))
}

// launch starts one of our programs. Both its outputs go to one file.
func (o *observed) launch(program, name, working string, env ...string) *testenv.Process {
	o.t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `exec "$0" "$@" 1>&2`, program, "--config", o.Config)
	cmd.Env = append(append(os.Environ(), o.env...), env...)
	return testenv.StartLogged(o.t, o.Dir, name, cmd, working)
}

// startSandboxProgram runs the shipped sandbox with the accounts of a test environment.
func (o *observed) startSandboxProgram(listen string) {
	for _, name := range []string{"ecommpay_secret.txt", "diamondpay_secret.txt"} {
		o.Must(os.WriteFile(filepath.Join(o.Dir, "keys", name), []byte(o.Keys.SharedSecret()), 0o600))
	}
	o.Must(os.WriteFile(filepath.Join(o.Dir, "keys", "diamondpay_token.txt"), []byte(o.token()), 0o600))
	var accounts strings.Builder
	accounts.WriteString("accounts:\n")
	for _, a := range [][2]string{
		{testenv.TeemoPay, "kind: teemopay, app_code: test-app"},
		{testenv.ECommPay, "kind: ecommpay, project_id: 1770"},
		{testenv.ECommPayRedirect, "kind: ecommpay, project_id: 1770, redirect: true, sign_general: true"},
		{testenv.DiamondPayV1, "kind: diamondpay, platform_id: PF0002, currency: KRW, sign_type: MD5, payment_info: false"},
		{testenv.DiamondPayInfo, "kind: diamondpay, platform_id: PF0002, currency: KRW, sign_type: MD5, payment_info: true"},
		{testenv.DiamondPayV2, "kind: diamondpay, platform_id: PF0002, currency: KRW, sign_type: HMAC-SHA256"},
		{testenv.DiamondPayTWD, "kind: diamondpay, platform_id: PF0002, currency: TWD, sign_type: HMAC-SHA256, camel_case: true"},
	} {
		fmt.Fprintf(&accounts, "  - {name: %s, %s, keys: keys, callback_url: %q, move_delay: 50ms, retry: {first: 200ms, factor: 1.5, max: 2s, attempts: 30}}\n",
			a[0], a[1], o.At.CallbackURL(a[0]))
	}
	path := filepath.Join(o.Dir, "sandbox.yaml")
	o.Must(os.WriteFile(path, []byte(accounts.String()), 0o600))
	cmd := exec.Command("/bin/sh", "-c", `exec "$0" "$@" 1>&2`, shipped(o.t, "sandbox"), "--config", path, "--listen", listen)
	testenv.StartLogged(o.t, o.Dir, "sandbox", cmd, "listening on")
}

// startFront puts a server before the sandbox that says to some orders what no simulator of an honest provider
// says: it repeats what it was sent, as a text, as a code and as a message.
func (o *observed) startFront(t *testing.T, sandbox string) string {
	to, err := url.Parse(sandbox)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // a dropped connection is part of the scenario
	}
	var poor, wrongKey sync.Once
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		asked := r.URL.String() + string(body)
		said := strings.Join(append([]string{"refused: "}, personal...), " ")
		answered := true
		switch {
		case strings.Contains(asked, "ECHOTEXT"):
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprintf(w, "cannot %s %s %v", r.Method, asked, r.Header)
		case strings.Contains(asked, "ECHOCODE"):
			_, _ = fmt.Fprintf(w, `{"code": 29900000000000, "status": "29900000000000", "error_code": "홍길동", "msg": %q, "message": %[1]q, "error_msg": %[1]q, "data": {}}`, said)
		case strings.Contains(asked, "LOWBALANCE"):
			answered = false
			poor.Do(func() {
				answered = true
				_, _ = fmt.Fprintf(w, `{"error_code": "0018", "error_msg": %q, "data": {}}`, said)
			})
		case strings.Contains(asked, wrongKeyOrder):
			answered = false
			wrongKey.Do(func() {
				answered = true
				_, _ = fmt.Fprintf(w, `{"error_code": "0004", "error_msg": %q, "data": {}}`, said)
			})
		default:
			answered = false
		}
		if !answered {
			r.Body = io.NopCloser(bytes.NewReader(body))
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return front.URL
}

// ask sends a request to the ingress and returns the status. What is refused is kept, to be searched.
func (o *observed) ask(method, path, key, body string, header ...string) (int, string) {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.shop.Ingress+path, strings.NewReader(body))
	o.Must(err)
	r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + key}}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return o.exchange(r)
}

func (o *observed) exchange(r *http.Request) (int, string) {
	o.t.Helper()
	reply, err := http.DefaultClient.Do(r)
	o.Must(err)
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	o.Must(err)
	o.mu.Lock()
	defer o.mu.Unlock()
	if reply.StatusCode >= http.StatusBadRequest {
		_, _ = fmt.Fprintf(&o.answers, "%v %s\n", reply.Header, text)
	}
	return reply.StatusCode, string(text)
}
