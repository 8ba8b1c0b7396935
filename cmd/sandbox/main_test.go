package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/sandbox"
	"payonce/pkg/sandbox/diamondpay"
	"payonce/pkg/sandbox/ecommpay"
	"payonce/pkg/sandbox/teemopay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// keysIn makes key files with the program itself.
func keysIn(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	var out, problems bytes.Buffer
	if err := run(t.Context(), []string{"keys", "--dir", dir}, &out, &problems); err != nil || problems.Len() > 0 {
		t.Fatalf("%v, %s", err, problems.String())
	}
	if !strings.Contains(out.String(), dir) {
		t.Errorf("it says %q", out.String())
	}
	return dir
}

// start runs the server and returns the base URL of its first account. It is stopped with the test.
func start(t *testing.T, args ...string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, args, in, io.Discard)
		_ = in.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("nothing was printed: %v", lines.Err())
	}
	_, url, _ := strings.Cut(lines.Text(), ": ")
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return url
}

// deposit sends one deposit, signed with the keys in dir.
func deposit(t *testing.T, url, dir, order string) (int, string) {
	t.Helper()
	key, err := teemopay.ReadPrivate(filepath.Join(dir, teemopay.MerchantPrivateFile))
	if err != nil {
		t.Fatal(err)
	}
	header, body, err := teemopay.SignedRequest(key, "sandbox-app", map[string]any{
		"merchantOrderNo": order, "paymentType": 801, "realName": "TeemoPay", "merchantName": "Example", "amount": "1000",
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/pay/payment/create/v1", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	return do(t, request)
}

func do(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestServeByFlags(t *testing.T) {
	dir := keysIn(t)
	url := start(t, "--listen", "127.0.0.1:0", "--keys", dir, "--callback-url", "http://127.0.0.1:1/", "--auto-pay", "--move-delay", "1ms")
	if !strings.HasSuffix(url, "/teemopay-kr") {
		t.Errorf("the base URL is %s", url)
	}
	if status, body := deposit(t, url, dir, "D1"); status != 200 || !strings.Contains(body, `"code":200`) {
		t.Errorf("%d %s", status, body)
	}
	wait, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(url, "/teemopay-kr", "/admin/teemopay-kr/orders/D1/wait?for=moved", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := do(t, wait); status != 200 || !strings.Contains(body, `"state":"paid"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestServeByFile(t *testing.T) {
	dir := keysIn(t)
	config := filepath.Join(filepath.Dir(dir), "sandbox.yaml")
	write(t, config, `accounts:
  - name: first
    kind: teemopay
    app_code: sandbox-app
    keys: keys
    callback_url: http://127.0.0.1:1/
    auto_pay: true
    move_delay: 100ms
    balance: 5
    faults: [{fault: refuse503, times: 1}]
    retry: {first: 1s, factor: 2, max: 1m, attempts: 20}
  - {name: second, kind: teemopay, app_code: sandbox-app, keys: keys, callback_url: "http://127.0.0.1:1/"}
`)
	url := start(t, "--listen", "localhost:0", "--config", config)
	if status, _ := deposit(t, url, dir, "D1"); status != 503 {
		t.Errorf("the account's fault does not act: %d", status)
	}
	if status, body := deposit(t, url, dir, "D1"); status != 200 || !strings.Contains(body, `"code":200`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := deposit(t, strings.Replace(url, "/first", "/second", 1), dir, "D1"); status != 200 || !strings.Contains(body, `"code":200`) {
		t.Errorf("%d %s", status, body)
	}
}

// base is the base URL of another account of the demo set.
func base(url, name string) string { return strings.Replace(url, "/teemopay-kr", "/"+name, 1) }

// TestDemoSet sends one deposit to each account with the secrets that were made.
func TestDemoSet(t *testing.T) {
	dir := keysIn(t)
	secret, err := sandbox.ReadSecret(filepath.Join(dir, ecommpaySecretFile))
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := sandbox.ReadSecret(filepath.Join(dir, diamondpaySecretFile))
	if err != nil {
		t.Fatal(err)
	}
	url := start(t, "--listen", "127.0.0.1:0", "--keys", dir, "--auto-pay", "--callback-url", "http://127.0.0.1:1/{provider}")
	sale := func(project int) []byte {
		body, err := ecommpay.SignedRequest(secret, map[string]any{
			"general":    map[string]any{"project_id": project, "payment_id": "D1"},
			"payment":    map[string]any{"amount": 10000, "currency": "KRW"},
			"customer":   map[string]any{"id": "1", "ip_address": "127.0.0.1", "first_name": "A", "last_name": "B", "email": "a@b.kr"},
			"return_url": map[string]any{"success": "http://127.0.0.1:1", "decline": "http://127.0.0.1:1"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	payment := func(how diamondpay.SignType, platform, service string) []byte {
		body, err := diamondpay.SignedRequest(how, gateway, map[string]any{
			"platform_id": platform, "service_id": service, "payment_cl_id": "D1", "amount": 1000000, "request_time": 1595504136,
			"notify_url": "http://127.0.0.1:1", "name": "A", "last_numbers": []string{"12345"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	for name, c := range map[string]struct {
		path string
		body []byte
		want string
	}{
		"ecommpay-kr":        {"/v2/payment/banks/korea/sale", sale(200), `"status":"success"`},
		"ecommpay-kr-direct": {"/v2/payment/banks/korea/sale", sale(1840), `"status":"success"`},
		"diamondpay-kr":      {"/gateway/api/v1/payments", payment(diamondpay.HMACSHA256, "PF0002", "SVC0026"), `"error_code":"0000"`},
		"diamondpay-tw":      {"/gateway/api/v1/payments", payment(diamondpay.MD5, "PF0003", "SVC0025"), `"errorCode":"0000"`},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base(url, name)+c.path, bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		if status, body := do(t, request); status != 200 || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	look, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base(url, "admin/ecommpay-kr/orders/D1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, body := do(t, look); !strings.Contains(body, `"callback_url":"http://127.0.0.1:1/ecommpay-kr"`) {
		t.Error(body)
	}
}

// TestKeysAreMadeWhenTheFolderIsMissing starts the program without any setting.
func TestKeysAreMadeWhenTheFolderIsMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	if said := start(t, "--listen", "127.0.0.1:0"); !strings.Contains(said, "sandbox-keys") {
		t.Error(said)
	}
	if _, err := sandbox.ReadSecret(filepath.Join("sandbox-keys", diamondpayTokenFile)); err != nil {
		t.Error(err)
	}
	if url := start(t, "--listen", "127.0.0.1:0"); !strings.HasSuffix(url, "/teemopay-kr") { // the same keys again
		t.Error(url)
	}
}

// TestFileOfEveryKind takes the example of --help as it is.
func TestFileOfEveryKind(t *testing.T) {
	dir := keysIn(t)
	var help bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &help, io.Discard); err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(help.String(), "# sandbox.yaml\n")
	example, _, _ = strings.Cut(example, "\n\n")
	if strings.Count(example, "kind: ") != 3 {
		t.Fatalf("the example is %s", example)
	}
	config := filepath.Join(filepath.Dir(dir), "sandbox.yaml")
	write(t, config, example)
	if url := start(t, "--listen", "127.0.0.1:0", "--config", config); !strings.HasSuffix(url, "/teemopay-kr") {
		t.Error(url)
	}
	office := filepath.Join(filepath.Dir(dir), "office.yaml")
	write(t, office, "accounts: [{name: a, kind: ecommpay, keys: keys, project_id: 1, office_hours: true, retry: {speed: 100}}]")
	configs, err := readConfig(office)
	if err != nil {
		t.Fatal(err)
	}
	account, err := configs[0].account()
	if err != nil || account.Hours.Zone == nil || len(account.Retry.Waits) == 0 {
		t.Errorf("%v %+v", err, account)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUsageErrors(t *testing.T) {
	dir := keysIn(t)
	bad := func(content string) string {
		path := filepath.Join(t.TempDir(), "sandbox.yaml")
		write(t, path, content)
		return path
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--nonsense"}, "unknown flag"},
		{[]string{"serve"}, `unknown command or argument "serve"`},
		{[]string{"keys"}, "--dir is required"},
		{[]string{"keys", "x"}, "unknown command or argument"},
		{[]string{"--keys", dir, "--listen", "0.0.0.0:0"}, "--allow-non-loopback"},
		{[]string{"--keys", dir, "--listen", ":0"}, "--allow-non-loopback"},
		{[]string{"--keys", dir, "--listen", "example.com:80"}, "--allow-non-loopback"},
		{[]string{"--keys", dir, "--listen", "127.0.0.1"}, "missing port"},
		{[]string{"--keys", t.TempDir()}, "no such file"},
		{[]string{"--keys", dir, "--provider", "Admin"}, "the name must match"},
		{[]string{"--keys", dir, "--app-code", ""}, "app code"},
		{[]string{"--keys", dir, "--config", "x"}, "exclude each other"},
		{[]string{"--config", filepath.Join(dir, "none.yaml")}, "no such file"},
		{[]string{"--config", bad("accounts: []")}, "no accounts"},
		{[]string{"--config", bad("acounts: []")}, "acounts"},
		{[]string{"--config", bad("accounts: [{name: a, kind: other}]")}, `kind "other" is not known`},
		{[]string{"--config", bad("accounts: [{name: a, kind: teemopay, project_id: 1}]")}, "keys of kind ecommpay"},
		{[]string{"--config", bad("accounts: [{name: a, kind: ecommpay, keys: " + dir + "}]")}, "project id"},
		{[]string{"--config", bad("accounts: [{name: a, kind: ecommpay, project_id: 1, keys: " + t.TempDir() + "}]")}, "no such file"},
		{[]string{"--config", bad("accounts: [{name: a, kind: diamondpay, platform_id: P, keys: " + t.TempDir() + "}]")}, "no such file"},
		{[]string{"--config", bad("accounts: [{name: a, kind: diamondpay, platform_id: P, sign_type: SHA1, keys: " + dir + "}]")}, "sign type"},
		{[]string{"--config", bad("accounts: [{name: a, kind: teemopay, app_code: a, retry: {speed: 2}, keys: " + dir + "}]")}, "documents its schedule"},
		{[]string{"--config", bad("accounts: [{name: a, kind: diamondpay, platform_id: P, retry: {speed: 2, first: 1s}, keys: " + dir + "}]")}, "stand alone"},
		{[]string{"--config", bad("nats: {}\naccounts: []")}, "a configuration of payonce"},
		{[]string{"--config", filepath.Join("..", "..", "payonce.example.yaml")}, "a configuration of payonce"},
		{[]string{"--config", bad("#" + strings.Repeat("x", maxConfig))}, "larger than"},
	} {
		var out, problems bytes.Buffer
		err := run(t.Context(), c.args, &out, &problems)
		if exitCode(err) != 2 || !strings.Contains(problems.String(), c.says) || out.Len() > 0 {
			t.Errorf("%v: exit %d, %q, %q", c.args, exitCode(err), problems.String(), out.String())
		}
	}
}

func TestRefusesProduction(t *testing.T) {
	dir := keysIn(t)
	for _, env := range []string{"production", "Production", " PRODUCTION "} {
		t.Setenv("PAYONCE_ENV", env)
		var problems bytes.Buffer
		err := run(t.Context(), []string{"--listen", "127.0.0.1:0", "--keys", dir}, io.Discard, &problems)
		if exitCode(err) != 2 || !strings.Contains(problems.String(), "PAYONCE_ENV=production") {
			t.Errorf("%q: exit %d, %s", env, exitCode(err), problems.String())
		}
	}
}

func TestOtherErrors(t *testing.T) {
	dir := keysIn(t)
	if err := run(t.Context(), []string{"keys", "--dir", dir}, io.Discard, io.Discard); exitCode(err) != 1 || !os.IsExist(errors.Unwrap(err)) {
		t.Errorf("keys were replaced: %v", err)
	}
	url := start(t, "--listen", "127.0.0.1:0", "--keys", dir)
	taken := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/teemopay-kr")
	if err := run(t.Context(), []string{"--listen", taken, "--keys", dir}, io.Discard, io.Discard); exitCode(err) != 1 {
		t.Errorf("an address was taken twice: %v", err)
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--help"}, &out, io.Discard); err != nil || exitCode(err) != 0 {
		t.Fatal(err)
	}
	for _, want := range []string{"Examples:", "--listen", "--allow-non-loopback", "sandbox keys --dir keys", "PAYONCE_ENV", "kind: ecommpay", "kind: diamondpay"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("--help does not mention %s:\n%s", want, out.String())
		}
	}
}

func TestNonLoopbackWhenAllowed(t *testing.T) {
	for address, allowed := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "127.9.9.9:1": true,
		"0.0.0.0:1": false, "[::]:1": false, ":1": false, "192.0.2.1:1": false, "host:1": false,
	} {
		if err := checkListen(address, false); (err == nil) != allowed {
			t.Errorf("%s: %v", address, err)
		}
		if err := checkListen(address, true); err != nil {
			t.Errorf("%s, allowed: %v", address, err)
		}
	}
}
