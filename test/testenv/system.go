package testenv

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events/jetstream/admin"

	"github.com/google/uuid"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// System is payonce on this machine: accounts at the providers' sandbox, a configuration with its keys, and services that run with
// it, all stopped when the test ends. Its methods fail the test. A test starts the servers that it wants: nats-server in this process
// ([natstest.Start]) or as another one ([StartNATS]), redis-server ([redistest.Start]) or miniredis.
type System struct {
	T       testing.TB
	Dir     string // of configuration, keys and logs
	At      Addresses
	Keys    Keys
	APIKey  string           // of the ingress
	Config  string           // file of the services that are started next
	Sandbox *sandbox.Sandbox // nil if At had another one
	Log     *admin.Conn      // once Connect was called

	edits int
}

// NewSystem makes the accounts and the configuration in a folder; one that an earlier system has left there goes on with its keys,
// and with the orders of its sandbox if it called SaveSandbox. Where at is empty, the ingress listens on a free port, and the
// sandbox runs in this process: edit, if set, may change each of its accounts.
func NewSystem(t testing.TB, dir string, at Addresses, edit func(*sandbox.AccountConfig)) *System {
	t.Helper()
	s := &System{T: t, Dir: dir, At: at}
	if s.At.Listen == "" {
		s.At.Listen = FreeAddress(t)
	}
	var err error
	s.Keys, err = keptKeys(dir)
	s.Must(err)
	if s.At.Sandbox == "" {
		accounts, err := s.Keys.Accounts(s.At, edit)
		s.Must(err)
		s.Sandbox, err = sandbox.New(sandbox.Options{Now: time.Now, Accounts: accounts})
		s.Must(err)
		t.Cleanup(s.Sandbox.Close)
		s.Must(s.restoreSandbox())
		s.At.Sandbox = HTTP(t, cmp.Or(s.At.SandboxListen, "127.0.0.1:0"), s.Sandbox)
	}
	s.Config, s.APIKey, err = s.Keys.WriteConfig(dir, s.At)
	s.Must(err)
	return s
}

// Must fails the test if there is an error.
func (s *System) Must(err error) {
	s.T.Helper()
	Must(s.T, err)
}

// Must fails a test if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Edit writes the configuration again, with the second of each two texts instead of the first, for the services that are started
// next. Each first text must be there.
func (s *System) Edit(texts ...string) {
	s.T.Helper()
	data, err := os.ReadFile(s.Config)
	s.Must(err)
	text := string(data)
	for i := 0; i < len(texts); i += 2 {
		if !strings.Contains(text, texts[i]) {
			s.T.Fatalf("the configuration has no %q", texts[i])
		}
		text = strings.ReplaceAll(text, texts[i], texts[i+1])
	}
	s.edits++
	s.Config = filepath.Join(s.Dir, fmt.Sprintf("payonce-%d.yaml", s.edits))
	s.Must(os.WriteFile(s.Config, []byte(text), 0o600))
}

// Unhurried gives the services that are started next longer times, for a demonstration, and for tests that count events or calls. A
// call that is given up is then the fault of what is tested, and not of a machine that stood still, and no answer with a customer's
// link is given up. It costs seconds where a process is killed.
func (s *System) Unhurried() {
	s.T.Helper()
	s.Edit("submit_timeout: 1s\n", "submit_timeout: 2s\n", "lease: 3s\n", "lease: 5s\n", "ack_wait: 4s\n", "ack_wait: 6s\n",
		"settling_delay: 5s\n", "settling_delay: 7s\n")
}

// EditProvider adds lines to the configuration of a provider.
func (s *System) EditProvider(provider, lines string) {
	s.T.Helper()
	head := "\n  " + provider + ":\n"
	s.Edit(head, head+"    "+strings.ReplaceAll(lines, "\n", "\n    ")+"\n")
}

// Archive gives the services that are started next an archive: PostgreSQL at a URL, or SQLite in a file.
func (s *System) Archive(place string) {
	s.T.Helper()
	at := "file: " + place
	if strings.HasPrefix(place, "postgres://") {
		s.Must(os.WriteFile(filepath.Join(s.Dir, "archive.url"), []byte(place), 0o600))
		at = "url_file: archive.url"
	}
	s.Edit("\nlog:\n", "\narchive:\n  "+at+"\nlog:\n")
}

// Admin lets a service ("ingress", "worker" or "archive") that is started next show /metrics and /readyz at the address that it returns.
func (s *System) Admin(service string) (address string) {
	s.T.Helper()
	address = FreeAddress(s.T)
	s.Edit("\n"+service+":\n", "\n"+service+":\n  admin_listen: "+address+"\n")
	return address
}

// Process starts one of our services with the configuration. It works when it has logged the text.
func (s *System) Process(program, name, working string, env ...string) *Process {
	s.T.Helper()
	cmd := exec.Command(program, "--config", s.Config)
	cmd.Env = append(os.Environ(), env...)
	return StartLogged(s.T, s.Dir, name, cmd, working)
}

// LogOf returns what a process has logged.
func (s *System) LogOf(name string) string {
	s.T.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, name+".log"))
	s.Must(err)
	return string(text)
}

// Connect connects a client to the broker until the test ends.
func Connect(t testing.TB, options jetstream.Options) *admin.Conn {
	t.Helper()
	options.Name, options.Logger, options.Now = "testenv", slog.New(slog.DiscardHandler), time.Now
	if options.Config.Replicas == 0 {
		options.Config = streamconfig.Of(config.Defaults())
	}
	conn, err := jetstream.Connect(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return admin.New(conn)
}

// Publish puts a command with an amount of 10,000 won into the queue.
func (s *System) Publish(ctx context.Context, ref payment.Ref, op payment.Operation) {
	s.T.Helper()
	cmd, err := events.ParseCommand(op, []byte(Variant{Account: ref.Provider, Operation: op, Amount: payment.KRW(10_000)}.Command(ref)))
	s.Must(err)
	cmd.RequestedAt = time.Now()
	out, err := events.EncodeCommand(cmd, uuid.NewString())
	s.Must(err)
	s.Must(s.Log.PublishCommand(ctx, out))
}

// Until waits until a payment is in the wanted state, and returns its events.
func (s *System) Until(ctx context.Context, ref payment.Ref, what string, is func(payment.Payment) bool) []events.Record {
	s.T.Helper()
	changed, stop := s.Log.Watch(ref)
	defer stop()
	for {
		p, _, err := s.Log.Last(ctx, ref)
		if err == nil && is(p) {
			records, err := s.Log.History(ctx, ref)
			s.Must(err)
			return records
		}
		select {
		case <-changed:
		case <-time.After(5 * time.Second): // a replica may lag behind the watch
		case <-ctx.Done():
			s.T.Fatalf("%s is not %s: %s, %+v, %v", ref, what, p.Status, p.Reason, err)
		}
	}
}

// Get returns the status and the text of a page, or 0 and the error.
func (s *System) Get(ctx context.Context, url string) (status int, text string) {
	s.T.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	s.Must(err)
	return s.Do(r)
}

// Post asks the ingress for something as an upstream does.
func (s *System) Post(ctx context.Context, path, body string) (status int, text string) {
	s.T.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.At.Listen+path, strings.NewReader(body))
	s.Must(err)
	r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + s.APIKey}}
	return s.Do(r)
}

// Do sends a request and returns the status and the text of the answer, or 0 and the error.
func (s *System) Do(r *http.Request) (status int, text string) {
	reply, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, err.Error()
	}
	return reply.StatusCode, string(body)
}
