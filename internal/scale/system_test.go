//go:build measure

package scale_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"payonce/internal/natstest"
	"payonce/internal/redistest"
	"payonce/internal/testenv"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
)

const account = "acme-kr"

// timeout bounds every wait.
const timeout = 20 * time.Minute

// system is a nats-server that syncs every write, a redis-server, a provider and any number of worker processes.
type system struct {
	t        *testing.T
	binary   string
	config   string // file
	nats     string
	conn     *jetstream.Conn
	provider *provider
}

// build builds the worker as it is shipped.
func build(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "worker")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "payonce/cmd/worker").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// start starts everything but workers. Text is what the configuration says of workers and of the provider.
func start(t *testing.T, binary, worker, account string) *system {
	t.Helper()
	server, store, dir := natstest.StartSynced(t), redistest.Start(t), t.TempDir()
	s := &system{t: t, binary: binary, config: filepath.Join(dir, "payonce.yaml"), nats: server.URL(), provider: newProvider(t)}
	text := fmt.Sprintf(configText, server.URL(), store.Addr(), worker, account, s.provider.url())
	for file, content := range map[string]string{s.config: text, filepath.Join(dir, "secret"): "scale-secret-0123456789"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.conn, err = jetstream.Connect(t.Context(), jetstream.Options{
		URLs: []string{server.URL()}, Name: "scale", Config: jetstream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.conn.Close() })
	if err := s.conn.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

const configText = `environment: test
nats:
  urls: [%q]
redis:
  addresses: [%q]
worker:
  shutdown_timeout: 30s
%s
providers:
  ` + account + `:
    kind: diamondpay
%s
    settings:
      base_url: %s
      platform_id: PF0002
      secret_file: secret
      sign_type: HMAC-SHA256
      currency: KRW
      version: v2
      settling_delay: 1m
      callback_url: http://127.0.0.1:1/webhooks/` + account + `
      allow_plain_links: true
`

// work starts a worker process. Its log goes to a file that a failed test shows the end of.
func (s *system) work() *testenv.Process {
	s.t.Helper()
	logs := &tail{}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	p, err := testenv.Start(ctx, exec.Command(s.binary, "--config", s.config), logs, "working")
	if err != nil {
		s.t.Fatalf("%v\n%s", err, logs)
	}
	s.t.Cleanup(func() {
		p.Kill()
		if s.t.Failed() {
			s.t.Logf("worker %d:\n%s", p.Pid(), logs)
		}
	})
	return p
}

// tail keeps the last lines that were written to it.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (w *tail) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lines = append(w.lines, string(line)); len(w.lines) > 20 {
		w.lines = w.lines[1:]
	}
	return len(line), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "")
}

func command(order string) payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: account, Order: order}, Operation: payment.Payout, Amount: payment.KRW(10_000), RequestedAt: time.Now().UTC(),
		Customer: payment.Customer{Name: "홍길동", Phone: "01012345678"}, Account: payment.Account{Number: "1234567890", BankCode: "004"},
	}
}

func (s *system) publish(ctx context.Context, order string) error {
	out, err := events.EncodeCommand(command(order), uuid.NewString())
	if err != nil {
		return err
	}
	return s.conn.PublishCommand(ctx, out)
}

// each does something for so many orders, 64 at a time.
func (s *system) each(n int, prefix string, do func(ctx context.Context, order string) error) {
	s.t.Helper()
	group, ctx := errgroup.WithContext(s.t.Context())
	group.SetLimit(64)
	for i := range n {
		group.Go(func() error { return do(ctx, fmt.Sprintf("%s-%d", prefix, i)) })
	}
	if err := group.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) until(what string, condition func() bool) {
	s.t.Helper()
	limit, tick := time.After(timeout), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-limit:
			s.t.Fatalf("not: %s", what)
		case <-tick.C:
		}
	}
}

// timers returns the consumers of the log.
func (s *system) timers() (log njs.Stream, all []*njs.ConsumerInfo) {
	s.t.Helper()
	nc, err := nats.Connect(s.nats)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(nc.Close)
	js, err := njs.New(nc)
	if err != nil {
		s.t.Fatal(err)
	}
	if log, err = js.Stream(s.t.Context(), events.StreamPayments); err != nil {
		s.t.Fatal(err)
	}
	for info := range log.ListConsumers(s.t.Context()).Info() {
		all = append(all, info)
	}
	return log, all
}

// forgetTimers deletes the consumers of the log, so that the next worker makes them.
func (s *system) forgetTimers() {
	s.t.Helper()
	log, all := s.timers()
	for _, timer := range all {
		if err := log.DeleteConsumer(s.t.Context(), timer.Name); err != nil {
			s.t.Fatal(err)
		}
	}
}

// read says how many events each timer was given.
func (s *system) read() (text string) {
	s.t.Helper()
	_, all := s.timers()
	for _, timer := range all {
		text += fmt.Sprintf("%s %d, ", timer.Name, timer.Delivered.Consumer)
	}
	return strings.TrimSuffix(text, ", ")
}
