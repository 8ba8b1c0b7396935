package payctl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/internal/payctl"
	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/connectors/ecommpay"
	"payonce/pkg/connectors/teemopay"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	sandbox "payonce/pkg/sandbox/teemopay"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// TestMain lets this test program be payctl, for tests that need a process.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "payctl" {
		os.Exit(payctl.Run(context.Background(), os.Args[1:], payctl.Env{
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, LookupEnv: os.LookupEnv, Now: time.Now, Kinds: kinds,
		}))
	}
	goleak.VerifyTestMain(m)
}

var kinds = []connectors.Kind{{Name: teemopay.Kind.Name, New: newPlain}, ecommpay.Kind}

// plain is a connector without any optional capability.
type plain struct{ connectors.Connector }

func newPlain(provider string, decode func(settings any) error, now func() time.Time) (connectors.Connector, error) {
	c, err := teemopay.Kind.New(provider, decode, now)
	return plain{c}, err
}

// timeout bounds waits for what must happen. The machine can be slow.
const timeout = 30 * time.Second

// environment of the runs; no test changes it.
var environment = map[string]string{"SECRET": "secret", "EMPTY": ""}

// outcome is what one run of the program came to.
type outcome struct {
	code        int
	out, errors string
}

// run runs the real root command.
func run(t testing.TB, stdin string, args ...string) outcome {
	t.Helper()
	var out, problems bytes.Buffer
	code := payctl.Run(t.Context(), args, env(stdin, &out, &problems))
	return outcome{code, out.String(), problems.String()}
}

func env(stdin string, out, problems *bytes.Buffer) payctl.Env {
	return payctl.Env{
		Stdin: strings.NewReader(stdin), Stdout: out, Stderr: problems, Now: time.Now,
		LookupEnv: func(name string) (string, bool) { v, ok := environment[name]; return v, ok },
		Kinds:     kinds,
	}
}

// expect checks the exit code and what must be said on the two outputs, however tables are aligned.
func (o outcome) expect(t testing.TB, code int, out, problems string) {
	t.Helper()
	o.out = blanks.ReplaceAllString(o.out, " ")
	if strings.Contains(o.out+o.errors, "%!") {
		t.Errorf("a message was not made: %s%s", o.out, o.errors)
	}
	if o.code != code || !strings.Contains(o.out, out) || !strings.Contains(o.errors, problems) {
		t.Errorf("exit %d, want %d\nout: %s\nwant: %s\nerrors: %s\nwant: %s", o.code, code, o.out, out, o.errors, problems)
	}
}

var blanks = regexp.MustCompile(` +`)

func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	shop  = "ecommpay-kr" // project 200
	other = "teemopay-kr"
)

// newKeys makes keys once for all tests: it takes the processor long.
var newKeys = sync.OnceValues(sandbox.NewKeys)

// configuration writes a file for one NATS and two accounts. at is the base URL of ECommPay's Gate.
func configuration(t testing.TB, nats, at string) string {
	t.Helper()
	keys, err := newKeys()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := keys.Write(dir); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("NATS", nats, "GATE", at, "DIR", dir).Replace(`
environment: test
nats: {urls: ["NATS"]}
providers:
  ecommpay-kr:
    kind: ecommpay
    settings: {project_id: 200, secret_file: DIR/secret, base_url: "GATE"}
  teemopay-kr:
    kind: teemopay
    settings:
      base_url: http://127.0.0.1:1
      app_code: app
      private_key_file: DIR/merchant_private.pem
      platform_public_keys_file: [DIR/platform_public.pem]
      merchant_name: Shop
`)
	for name, content := range map[string]string{"secret": "0123456789abcdef-secret", "payonce.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "payonce.yaml")
}

// nowhere is an address where nothing listens.
const nowhere = "http://127.0.0.1:1"

// system starts a nats-server with all streams and returns a connection to it and a configuration for it.
func system(t testing.TB) (*admin.Conn, string) {
	t.Helper()
	conn, url := streams(t)
	return conn, configuration(t, url, nowhere)
}

// streams starts a nats-server with all streams and returns a connection to it and its address.
func streams(t testing.TB) (conn *admin.Conn, url string) {
	t.Helper()
	server := natstest.Start(t)
	conn, err := jetstreamtest.Dial(bounded(t), options(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.EnsureStreams(bounded(t)); err != nil {
		t.Fatal(err)
	}
	return conn, server.URL()
}

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*timeout)
	t.Cleanup(cancel)
	return ctx
}

func options(url string) jetstream.Options {
	return jetstream.Options{
		URLs: []string{url}, Name: "test", Config: streamconfig.Of(config.Defaults()), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	}
}

// summary is the report of an import.
type summary struct {
	New, Unsent int
	Already     int `json:"already_there"`
}

func reportOf(t testing.TB, out string) (s summary) {
	t.Helper()
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}
