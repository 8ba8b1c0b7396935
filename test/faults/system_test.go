package faults

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

// timeout bounds every wait for something that must happen.
const timeout = 2 * time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	testenv.RemoveBuilds()
	os.Exit(code)
}

// The programs, as they are shipped, and a worker that kills itself where the test says.
func shipped(t testing.TB, name string) string { return testenv.Build(t, "payonce/cmd/"+name) }
func crashing(t testing.TB) string             { return testenv.Build(t, "-tags", "crash", "payonce/cmd/worker") }

// within bounds everything that must happen in a test.
func within(t testing.TB, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// system is everything but the workers.
type system struct {
	*testenv.System
	t       *testing.T
	redis   *redistest.Server
	nats    *testenv.NATS
	workers int
}

func start(t *testing.T) *system {
	t.Helper()
	s := prepare(t, testenv.NATSOptions{})
	s.startIngress()
	return s
}

// prepare starts the servers and makes the configuration.
func prepare(t *testing.T, o testenv.NATSOptions) *system { return prepareWith(t, "", o) }

// prepareWith is prepare with a sandbox that is somewhere else.
func prepareWith(t *testing.T, sandboxURL string, o testenv.NATSOptions) *system {
	t.Helper()
	dir := t.TempDir()
	s := &system{t: t, redis: redistest.Start(t), nats: testenv.StartNATS(t, dir, o)}
	s.System = testenv.NewSystem(t, dir, testenv.Addresses{NATS: []string{s.nats.URL}, Redis: s.redis.Addr(), Sandbox: sandboxURL}, paying)
	return s
}

// startIngress starts the ingress, which makes the streams, and connects the test.
func (s *system) startIngress() {
	s.t.Helper()
	s.Process(shipped(s.t, "ingress"), "ingress", "listening on")
	s.Log = testenv.Connect(s.t, jetstream.Options{URLs: s.At.NATS})
}

// unpaid is the provider whose customers pay when a test says so; all others pay at once.
const unpaid = testenv.DiamondPayV2

// paying makes accounts that accept every order as often as it is sent.
func paying(a *sandbox.AccountConfig) {
	a.MoveDelay, a.Retry.Attempts = 50*time.Millisecond, 100
	a.AutoPay = a.Name != unpaid
	a.Faults = []sandbox.Fault{{Name: sandbox.AcceptDuplicates}}
}

// worker starts one more worker.
func (s *system) worker(env ...string) *testenv.Process {
	s.t.Helper()
	return s.workerOf(shipped(s.t, "worker"), env...)
}

func (s *system) crashWorker(env ...string) *testenv.Process {
	s.t.Helper()
	return s.workerOf(crashing(s.t), env...)
}

func (s *system) workerOf(program string, env ...string) *testenv.Process {
	s.t.Helper()
	s.workers++
	return s.Process(program, fmt.Sprintf("worker-%d", s.workers), "msg=working", env...)
}

// logged waits until a process has logged a text.
func (s *system) logged(ctx context.Context, name, text string) {
	s.t.Helper()
	s.happens(ctx, name+" logs: "+text, func() bool { return strings.Contains(s.LogOf(name), text) })
}

// happens waits for something of which there is no signal.
func (s *system) happens(ctx context.Context, what string, holds func() bool) {
	s.t.Helper()
	testenv.Await(ctx, s.t, what, holds)
}

// order is one payment of a test.
type order struct {
	ref payment.Ref
	op  payment.Operation
}

// publish puts the command of an order into the queue.
func (s *system) publish(ctx context.Context, o order) {
	s.t.Helper()
	s.Publish(ctx, o.ref, o.op)
}

// ended waits until the payment has ended and returns its events.
func (s *system) ended(ctx context.Context, o order) []events.Record {
	s.t.Helper()
	return s.Until(ctx, o.ref, "at its end", func(p payment.Payment) bool { return p.Status.Ended() })
}

// settleOnce waits until the payments have ended, and checks each.
func (s *system) settleOnce(ctx context.Context, orders ...order) {
	s.t.Helper()
	for _, o := range orders {
		s.endedOnce(ctx, o)
	}
}

// endedOnce is ended and check.
func (s *system) endedOnce(ctx context.Context, o order) []events.Record {
	s.t.Helper()
	records := s.ended(ctx, o)
	s.check(o, records)
	return records
}

// stands waits until the payment has a status.
func (s *system) stands(ctx context.Context, o order, status payment.Status) {
	s.t.Helper()
	s.Until(ctx, o.ref, string(status), func(p payment.Payment) bool { return p.Status == status })
}

// check compares the log with the provider's records: one charge, one movement, one outcome.
func (s *system) check(o order, records []events.Record) {
	s.t.Helper()
	truth, err := s.Sandbox.Order(o.ref.Provider, o.ref.Order)
	s.Must(err)
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

// createdOnce fails the test if the provider was asked to pay more or less often than once.
func (s *system) createdOnce(o order) {
	s.t.Helper()
	truth, err := s.Sandbox.Order(o.ref.Provider, o.ref.Order)
	s.Must(err)
	if truth.Creates != 1 {
		s.t.Errorf("%s: the provider was asked %d times to pay", o.ref, truth.Creates)
	}
}

func statuses(records []events.Record) (all []payment.Status) {
	for _, r := range records {
		all = append(all, r.Payment.Status)
	}
	return all
}
