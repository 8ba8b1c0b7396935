package deploytest

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/app"
	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
)

// system is payonce on a secured broker: each program logs in as its own user.
type system struct {
	broker
	*testenv.System
	stopWorker func() // and wait for its end
	consoleAt  string
	logs       *testenv.Logs
	receiver   *receiver // the endpoint "shop"
}

func newSystem(t *testing.T, b broker) *system {
	t.Helper()
	at := testenv.Addresses{NATS: b.urls(), Redis: miniredis.RunT(t).Addr()}
	return &system{broker: b, logs: testenv.NewLogs(t), receiver: newReceiver(t), consoleAt: testenv.FreeAddress(t), System: testenv.NewSystem(t, t.TempDir(), at, func(a *sandbox.AccountConfig) {
		a.AutoPay, a.MoveDelay, a.Retry.Attempts = true, 50*time.Millisecond, 100
	})}
}

// startSystem makes the streams as administrator and starts an ingress and a worker.
func startSystem(t *testing.T, b broker, replicas int) *system {
	t.Helper()
	s := newSystem(t, b)
	configs := map[string]string{}
	for _, user := range []string{"administrator", "operator-kim", "operator-lee", "worker", "ingress", "archive", "viewer", "notifier"} {
		configs[user] = s.config(t, s.Config, user, replicas)
		s.receiver.configure(t, configs[user])
	}
	s.wantPayctl(t, "administrator", payctl.ExitOK, "INTAKE-shop: missing", "streams", "apply")
	s.stopWorker = s.run(t, app.Worker(), configs["worker"])
	s.run(t, app.Ingress(), configs["ingress"])
	s.run(t, app.Notifier(), configs["notifier"])
	s.run(t, app.Archive(), configs["archive"])
	rewrite(t, configs["viewer"], func(text string) string {
		return fmt.Sprintf("console: {listen: %q, base_url: %q, links: true}\n%s", s.consoleAt, "http://"+s.consoleAt, text)
	})
	s.run(t, app.Console(), configs["viewer"])
	return s
}

// config writes the configuration of one program: the common one with its own login.
func (b broker) config(t *testing.T, path, user string, replicas int) string {
	t.Helper()
	text, err := os.ReadFile(path)
	testenv.Must(t, err)
	login := fmt.Sprintf("order_prefixes: {game: G-}\narchive: {file: %s}\nnats:\n  nkey_seed_file: %s\n  tls: {enabled: true, ca_file: %s}\n  replicas: %d\n  accounts: true\n  upstreams: [shop, game]\n  ledgers: [accounting]\n",
		filepath.Join(filepath.Dir(path), "archive.db"), b.seedFile(user), b.ca(), replicas)
	own, config := filepath.Join(filepath.Dir(path), user+".yaml"), strings.Replace(string(text), "nats:\n", login, 1)
	if user != "worker" { // the others use no Redis: they know no password of it, and nothing listens there
		config = redisAddresses.ReplaceAllString(config, `addresses: ["127.0.0.1:1"]`)
	}
	testenv.Must(t, os.WriteFile(own, []byte(config), 0o600))
	return own
}

var redisAddresses = regexp.MustCompile(`addresses: \[.*\]`)

// run runs a service in this process until the test ends or stop is called.
func (s *system) run(t *testing.T, service app.Service, config string) (stop func()) {
	t.Helper()
	rt, err := app.Load(service, config, s.logs)
	s.Must(err)
	return testenv.Serve(t, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
}

// payAsUpstream publishes a deposit as an upstream does: plain JSON on the long subject.
func (s *system) payAsUpstream(t *testing.T, order string) payment.Ref {
	t.Helper()
	ref := payment.Ref{Provider: testenv.TeemoPay, Order: order}
	js := s.jetStream(t, "upstream-shop")
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
	if status := s.deposit(t, ref); status != http.StatusAccepted {
		t.Fatalf("POST /v1/deposits: %d", status)
	}
	return ref
}

// settled waits, as the ledger, until both payments have settled.
func (s *system) settled(t *testing.T, refs ...payment.Ref) {
	t.Helper()
	js, err := njs.NewWithAPIPrefix(s.login(t, "ledger-"+accounting), "PAYONCE")
	testenv.Must(t, err)
	consumer, err := js.Consumer(bounded(t), events.StreamPayments, admin.LedgerConsumer(accounting))
	testenv.Must(t, err)
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
		testenv.Must(t, err)
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

// TestMain removes in the end what tests have built.
func TestMain(m *testing.M) {
	code := m.Run()
	testenv.RemoveBuilds()
	os.Exit(code)
}

// exampleLedger is the program of examples/ledger, built once.
func exampleLedger(t *testing.T) string { return testenv.Build(t, "payonce/examples/ledger") }

// bookedByExample waits until examples/ledger, a process of its own with the ledger's key, has booked a payment.
func (s *system) bookedByExample(t *testing.T, ref payment.Ref) {
	t.Helper()
	binary := exampleLedger(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	lines := documented(t, "ledger.md", "commands", "go")
	cmd := exec.CommandContext(ctx, binary, append(s.here(lines[1][2:]), "--journal", filepath.Join(t.TempDir(), "journal"))...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	testenv.Must(t, err)
	testenv.Must(t, cmd.Start())
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
	if o, err := s.Sandbox.Order(documented.Provider, documented.Order); err != nil || len(o.Charges) != 1 {
		t.Errorf("the lines of docs/upstream.md came to %d charges: %v", len(o.Charges), err)
	}
	s.othersCannotSee(t, "N-1", "H-1")
	s.bookedByExample(t, s.payByHTTP(t, "H-2"))
	if logs := s.logs.String(); strings.Contains(logs, "permission denied by NATS") {
		t.Errorf("a program lacks a right:\n%s", logs)
	}
}

func TestPaymentOnOneServer(t *testing.T) {
	s := startSystem(t, startBroker(t, "node.conf", "nats-1"), 1)
	s.pay(t)
	toldByNotifier(t, s)
	recordsLost(t, s)
	archived(t, s)
	consoleShows(t, s)
	howItStands(t, s)
	steppedOver(t, s)
	contested(t, s)
	sentInBatches(t, s)
	appendsInBatches(t, s)
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
	toldByNotifier(t, s)
	recordsLost(t, s)
	archived(t, s)
	attack(t, s)
	stolenWorker(t, s)
	stolenAcks(t, s)
	foreignOrders(t, s)
	people(t, s)
	tryEverything(t, s.broker)
}
