package deploytest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/internal/freeport"
	"payonce/internal/payctl"
	"payonce/internal/testenv"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// system is payonce on a secured broker: each program logs in as its own user.
type system struct {
	broker
	listen, apiKey string
	sandbox        *sandbox.Sandbox
	configs        string // the folder of the configurations
	replicas       int
	stopWorker     func() // and wait for its end
	logs           lockedBuffer
}

// startSystem makes the streams as administrator and starts an ingress and a worker.
func startSystem(t *testing.T, b broker, replicas int) *system {
	t.Helper()
	s := &system{broker: b}
	redis := miniredis.RunT(t)
	var err error
	if s.listen, err = freeport.Address(bounded(t)); err != nil {
		t.Fatal(err)
	}
	at := testenv.Addresses{NATS: b.urls(), Redis: redis.Addr(), Listen: s.listen}
	keys, err := testenv.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	at.Sandbox = s.startSandbox(t, keys, at)
	path, apiKey, err := keys.WriteConfig(t.TempDir(), at)
	if err != nil {
		t.Fatal(err)
	}
	s.apiKey, s.configs, s.replicas = apiKey, filepath.Dir(path), replicas
	var out bytes.Buffer
	code := payctl.Run(t.Context(), []string{"streams", "apply", "--config", s.config(t, path, "administrator", replicas)}, payctl.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, LookupEnv: os.LookupEnv, Now: time.Now, Kinds: app.Kinds(),
	})
	if code != payctl.ExitOK || !strings.Contains(out.String(), "INTAKE-shop: missing") {
		t.Fatalf("payctl streams apply: exit %d\n%s", code, out.String())
	}
	for _, person := range []string{"operator-kim", "operator-lee"} {
		s.config(t, path, person, replicas)
	}
	s.stopWorker = s.run(t, app.Worker(), s.config(t, path, "worker", replicas))
	s.run(t, app.Ingress(), s.config(t, path, "ingress", replicas))
	return s
}

// config writes the configuration of one program: the common one with its own login.
func (b broker) config(t *testing.T, path, user string, replicas int) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	login := fmt.Sprintf("order_prefixes: {game: G-}\nnats:\n  nkey_seed_file: %s\n  tls: {enabled: true, ca_file: %s}\n  replicas: %d\n  accounts: true\n  upstreams: [shop, game]\n  ledgers: [books]\n",
		b.seedFile(user), b.ca(), replicas)
	own, config := filepath.Join(filepath.Dir(path), user+".yaml"), strings.Replace(string(text), "nats:\n", login, 1)
	if user != "worker" { // the others use no Redis: they know no password of it, and nothing listens there
		config = redisAddresses.ReplaceAllString(config, `addresses: ["127.0.0.1:1"]`)
	}
	if err := os.WriteFile(own, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return own
}

var redisAddresses = regexp.MustCompile(`addresses: \[.*\]`)

func (s *system) startSandbox(t *testing.T, keys testenv.Keys, at testenv.Addresses) string {
	t.Helper()
	accounts, err := keys.Accounts(at, func(a *sandbox.AccountConfig) {
		a.AutoPay, a.MoveDelay, a.Retry.Attempts = true, 50*time.Millisecond, 100
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.sandbox, err = sandbox.New(sandbox.Options{Now: time.Now, Accounts: accounts}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sandbox.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: s.sandbox, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(listener) }()
	t.Cleanup(func() { _ = srv.Close() })
	return "http://" + listener.Addr().String()
}

// run runs a service in this process until the test ends or stop is called.
func (s *system) run(t *testing.T, service app.Service, config string) (stop func()) {
	t.Helper()
	rt, err := app.Load(service, config, &s.logs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() { ended <- service.Run(ctx, rt, func(string) { once.Do(func() { close(ready) }) }) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s", s.logs.String())
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("%s: %v\n%s", service.Name, err, s.logs.String())
	case <-time.After(2 * timeout):
		t.Fatalf("%s is not ready\n%s", service.Name, s.logs.String())
	}
	return stop
}

type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// payAsUpstream publishes a deposit as an upstream does: plain JSON on the long subject.
func (s *system) payAsUpstream(t *testing.T, order string) payment.Ref {
	t.Helper()
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: order}
	js, err := njs.New(s.login(t, "upstream-shop"))
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"provider":%q,"order":%q,"amount":{"value":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`, ref.Provider, ref.Order)
	ack, err := js.Publish(bounded(t), events.CommandSubject(payment.Deposit, ref), []byte(body))
	if err != nil || ack.Stream != events.IntakeStream("shop") {
		t.Fatalf("publish as upstream: %+v: %v", ack, err)
	}
	return ref
}

// payByHTTP asks the ingress for a deposit.
func (s *system) payByHTTP(t *testing.T, order string) payment.Ref {
	t.Helper()
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: order}
	body := fmt.Sprintf(`{"provider":%q,"order":%q,"amount":{"value":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`, ref.Provider, ref.Order)
	request, err := http.NewRequestWithContext(bounded(t), http.MethodPost, "http://"+s.listen+"/v1/deposits", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.apiKey)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Prefer", "wait=20")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		t.Fatalf("POST /v1/deposits: %s", response.Status)
	}
	return ref
}

// settled waits, as the ledger, until both payments have settled.
func (s *system) settled(t *testing.T, refs ...payment.Ref) {
	t.Helper()
	js, err := njs.NewWithAPIPrefix(s.login(t, "ledger-"+statement), "PAYONCE")
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.Consumer(bounded(t), events.StreamPayments, jetstream.LedgerConsumer(statement))
	if err != nil {
		t.Fatal(err)
	}
	waiting := map[payment.Ref]bool{}
	for _, ref := range refs {
		waiting[ref] = true
	}
	for deadline := time.Now().Add(timeout); len(waiting) > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("not settled: %v\n%s", waiting, s.logs.String())
		}
		m, err := consumer.Next(njs.FetchMaxWait(2 * time.Second))
		if err != nil {
			continue
		}
		p, err := events.DecodePayment(m.Data())
		if err != nil {
			t.Fatal(err)
		}
		if p.Status != payment.Settled || m.Subject() != events.PaymentSubject(payment.Settled, p.Ref) {
			t.Errorf("%s: %s on %s", p.Ref, p.Status, m.Subject())
		}
		if want := upstreamOf(p.Order); p.Upstream != want {
			t.Errorf("%s is of %q, want %q", p.Ref, p.Upstream, want)
		}
		delete(waiting, p.Ref)
		if err := m.DoubleAck(bounded(t)); err != nil {
			t.Error(err)
		}
	}
}

// bookedByExample waits until examples/ledger, a process of its own with the ledger's key, has booked a payment.
func (s *system) bookedByExample(t *testing.T, ref payment.Ref) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "ledger")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "payonce/examples/ledger").CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	lines := documented(t, "ledger.md", "commands", "go")
	cmd := exec.CommandContext(ctx, binary, append(s.here(lines[1][2:]), "--journal", filepath.Join(t.TempDir(), "journal"))...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	booked := false
	for output := bufio.NewScanner(out); !booked && output.Scan(); {
		booked = strings.Contains(output.Text(), `"order":"`+ref.Order+`"`) && strings.Contains(output.Text(), `"status":"settled"`)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if !booked {
		t.Errorf("the example did not book %s", ref)
	}
}

// pay takes one payment by NATS and one by HTTP through, and wants no refusal of the broker on the way.
func (s *system) pay(t *testing.T) {
	t.Helper()
	documented := s.payAsDocumented(t)
	s.settled(t, documented, s.payAsUpstream(t, "N-1"), s.payByHTTP(t, "H-1"))
	if o, err := s.sandbox.Order(documented.Provider, documented.Order); err != nil || len(o.Charges) != 1 {
		t.Errorf("the lines of docs/upstream.md came to %d charges: %v", len(o.Charges), err)
	}
	s.othersCannotSee(t, "N-1", "H-1")
	s.bookedByExample(t, s.payByHTTP(t, "H-2"))
	if logs := s.logs.String(); strings.Contains(strings.ToLower(logs), "permissions violation") {
		t.Errorf("a program lacks a right:\n%s", logs)
	}
}

func TestPaymentOnOneServer(t *testing.T) {
	s := startSystem(t, startBroker(t, "node.conf", "nats-1"), 1)
	s.pay(t)
	steppedOver(t, s)
	contested(t, s)
	sentInBatches(t, s)
	unanswered(t, s)
	attack(t, s)
	stolenWorker(t, s)
	stolenAcks(t, s)
	foreignOrders(t, s)
	refusedWebhooks(t, s)
	people(t, s)
	tryEverything(t, s.broker)
	emptiedQueue(t, s)
}

func TestPaymentOnACluster(t *testing.T) {
	s := startSystem(t, startBroker(t, "cluster.conf", "nats-1", "nats-2", "nats-3"), 3)
	s.pay(t)
	attack(t, s)
	stolenWorker(t, s)
	stolenAcks(t, s)
	foreignOrders(t, s)
	people(t, s)
	tryEverything(t, s.broker)
}
