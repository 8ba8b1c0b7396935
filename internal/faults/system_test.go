package faults

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"payonce/internal/freeport"
	"payonce/internal/redistest"
	"payonce/internal/testenv"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
)

// timeout bounds every wait for something that must happen.
const timeout = 2 * time.Minute

// programs are built once for all tests.
type programs struct{ worker, crashWorker, ingress, sandbox, nats string }

var build = sync.OnceValues(func() (programs, error) {
	dir, err := os.MkdirTemp("", "payonce-faults-")
	if err != nil {
		return programs{}, err
	}
	built := programs{filepath.Join(dir, "worker"), filepath.Join(dir, "crash-worker"), filepath.Join(dir, "ingress"), filepath.Join(dir, "sandbox"), filepath.Join(dir, "nats-server")}
	for path, args := range map[string][]string{
		built.worker:      {"payonce/cmd/worker"},
		built.crashWorker: {"-tags", "crash", "payonce/cmd/worker"},
		built.ingress:     {"payonce/cmd/ingress"},
		built.sandbox:     {"payonce/cmd/sandbox"},
		built.nats:        {"github.com/nats-io/nats-server/v2"},
	} {
		out, err := exec.Command("go", append([]string{"build", "-o", path}, args...)...).CombinedOutput()
		if err != nil {
			return programs{}, fmt.Errorf("go build %v: %w\n%s", args, err, out)
		}
	}
	return built, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(built.worker))
	}
	os.Exit(code)
}

// system is everything but the workers.
type system struct {
	t        *testing.T
	dir      string
	programs programs
	config   string
	natsURL  string
	keys     testenv.Keys
	at       testenv.Addresses
	redis    *redistest.Server
	sandbox  *sandbox.Sandbox
	nats     *testenv.Process
	log      *jetstream.Conn
	workers  int
}

func start(t *testing.T) *system {
	built, err := build()
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, dir: t.TempDir(), programs: built, redis: redistest.Start(t)}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	at := testenv.Addresses{Redis: s.redis.Addr(), NATS: []string{s.startNATS(ctx)}, Listen: s.free(ctx)}
	s.natsURL = at.NATS[0]
	keys, err := testenv.NewKeys()
	s.must(err)
	at.Sandbox = s.startSandbox(keys, at)
	s.keys, s.at = keys, at
	s.config, _, err = keys.WriteConfig(s.dir, at)
	s.must(err)
	s.process(ctx, built.ingress, "ingress", "listening on")
	s.log, err = jetstream.Connect(ctx, jetstream.Options{
		URLs: at.NATS, Name: "faults", Config: jetstream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	s.must(err)
	t.Cleanup(func() { _ = s.log.Close() })
	return s
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) free(ctx context.Context) string {
	address, err := freeport.Address(ctx)
	s.must(err)
	return address
}

// startNATS runs a nats-server process that syncs every write to disk, as production does.
func (s *system) startNATS(ctx context.Context) string {
	address := s.free(ctx)
	_, port, err := net.SplitHostPort(address)
	s.must(err)
	config := fmt.Sprintf("listen: 127.0.0.1:%s\njetstream { store_dir: %q, sync_interval: always }\n", port, filepath.Join(s.dir, "nats"))
	path := filepath.Join(s.dir, "nats.conf")
	s.must(os.WriteFile(path, []byte(config), 0o600))
	s.t.Cleanup(func() { _ = s.nats.Stop(testenv.StopTimeout) }) // the one of restartNATS, after all who use it
	s.nats = s.run(ctx, exec.Command(s.programs.nats, "--config", path), "nats", "Server is ready")
	return "nats://" + address
}

// restartNATS restarts what startNATS has started, as an operator does.
func (s *system) restartNATS(ctx context.Context) {
	s.t.Helper()
	s.must(s.nats.Stop(testenv.StopTimeout))
	logs, err := os.Create(filepath.Join(s.dir, "nats-again.log"))
	s.must(err)
	s.t.Cleanup(func() { _ = logs.Close() })
	s.nats, err = testenv.Start(ctx, exec.Command(s.programs.nats, "--config", filepath.Join(s.dir, "nats.conf")), logs, "Server is ready")
	s.must(err)
}

// unpaid is the provider whose customers pay when a test says so; all others pay at once.
const unpaid = testenv.DiamondPayV2

// startSandbox runs the sandbox, which accepts every order as often as it is sent.
func (s *system) startSandbox(keys testenv.Keys, at testenv.Addresses) string {
	accounts, err := keys.Accounts(at, func(a *sandbox.AccountConfig) {
		a.MoveDelay, a.Retry.Attempts = 50*time.Millisecond, 100
		a.AutoPay = a.Name != unpaid
		a.Faults = []sandbox.Fault{{Name: sandbox.AcceptDuplicates}}
	})
	s.must(err)
	s.sandbox, err = sandbox.New(sandbox.Options{Now: time.Now, Accounts: accounts})
	s.must(err)
	s.t.Cleanup(s.sandbox.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	server := &http.Server{Handler: s.sandbox, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	s.t.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}

// unhurried lets the services that are started next take the time that a machine needs which stands still for a second.
func (s *system) unhurried() {
	s.t.Helper()
	var err error
	s.config, err = testenv.Unhurried(s.config)
	s.must(err)
}

// process starts one of our services.
func (s *system) process(ctx context.Context, program, name, working string, env ...string) *testenv.Process {
	s.t.Helper()
	cmd := exec.Command(program, "--config", s.config)
	cmd.Env = append(os.Environ(), env...)
	return s.run(ctx, cmd, name, working)
}

// run starts a process and stops it when the test ends; its log is printed if the test failed.
func (s *system) run(ctx context.Context, cmd *exec.Cmd, name, working string) *testenv.Process {
	s.t.Helper()
	path := filepath.Join(s.dir, name+".log")
	logs, err := os.Create(path)
	s.must(err)
	process, err := testenv.Start(ctx, cmd, logs, working)
	if err != nil {
		text, _ := os.ReadFile(path)
		s.t.Fatalf("%v\n%s", err, text)
	}
	s.t.Cleanup(func() {
		if err := process.Stop(testenv.StopTimeout); err != nil {
			s.t.Errorf("%s: %v", name, err)
		}
		_ = logs.Close()
		if text, err := os.ReadFile(path); err == nil && s.t.Failed() {
			s.t.Logf("the last of %s:\n%s", name, text[max(0, len(text)-8000):])
		}
	})
	return process
}

// worker starts one more worker.
func (s *system) worker(program string, env ...string) *testenv.Process {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), timeout)
	defer cancel()
	s.workers++
	return s.process(ctx, program, fmt.Sprintf("worker-%d", s.workers), "msg=working", env...)
}

// order is one payment of a test.
type order struct {
	ref payment.Ref
	op  payment.Operation
}

// publish puts the command of an order into the queue.
func (s *system) publish(ctx context.Context, o order) {
	s.t.Helper()
	cmd := payment.Command{Ref: o.ref, Operation: o.op, Amount: payment.KRW(10_000), RequestedAt: time.Now()}
	cmd.Customer.Name = "홍길동"
	if o.op == payment.Payout {
		cmd.Customer.IDType = "RRN"
		cmd.Account = payment.Account{Number: "29900000000000", BankCode: "003"}
	}
	if o.ref.Provider == testenv.ECommPay {
		cmd.Customer.ID, cmd.Customer.FirstName, cmd.Customer.LastName = "c-77", "길동", "홍"
		cmd.Customer.Email, cmd.Customer.IPAddress = "hong@example.com", "198.51.100.7"
	}
	if o.op == payment.Payout && o.ref.Provider == testenv.ECommPay {
		cmd.Account.Holder, cmd.Account.BankCode = "홍길동", "771"
	}
	out, err := events.EncodeCommand(cmd, "fault-"+o.ref.Order)
	s.must(err)
	s.must(s.log.PublishCommand(ctx, out))
}

// ended waits until the payment has ended and returns its events.
func (s *system) ended(ctx context.Context, o order) []events.Record {
	s.t.Helper()
	changed, stop := s.log.Watch(o.ref)
	defer stop()
	for {
		p, _, err := s.log.Last(ctx, o.ref)
		if err == nil && p.Status.Ended() {
			records, err := s.log.History(ctx, o.ref)
			s.must(err)
			return records
		}
		select {
		case <-changed:
		case <-time.After(5 * time.Second): // a replica may lag behind the watch
		case <-ctx.Done():
			s.t.Fatalf("%s has not ended: status %q, %v", o.ref, p.Status, err)
		}
	}
}

// check compares the log with the provider's records: one charge, one movement, one outcome.
func (s *system) check(o order, records []events.Record) {
	s.t.Helper()
	truth, err := s.sandbox.Order(o.ref.Provider, o.ref.Order)
	s.must(err)
	outcomes := 0
	for _, r := range records {
		if r.Payment.Status.Ended() {
			outcomes++
		}
	}
	last := records[len(records)-1].Payment
	if len(truth.Charges) != 1 || len(truth.Movements) != 1 || outcomes != 1 || last.Status != payment.Settled || last.SettledAmount != payment.KRW(10_000) {
		s.t.Errorf("%s: %d charges, %d movements, %d outcomes, %s of %s; events: %s", o.ref, len(truth.Charges), len(truth.Movements), outcomes, last.Status, last.SettledAmount, statuses(records))
	}
}

func statuses(records []events.Record) (all []payment.Status) {
	for _, r := range records {
		all = append(all, r.Payment.Status)
	}
	return all
}
