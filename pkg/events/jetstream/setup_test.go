package jetstream_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/natstest"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// timeout bounds waits for what must happen. The machine can be slow.
const timeout = 2 * time.Minute

func testConfig() jetstream.Config {
	cfg := jetstream.DefaultConfig()
	cfg.PublishTimeout = 500 * time.Millisecond
	cfg.RetryDelay = 50 * time.Millisecond
	cfg.DeadLetterBytes = events.MinDeadLetterBytes // the server reserves it, and some tests have small disks
	cfg.RefusedBytes = 64 << 10
	return cfg
}

func options(t *testing.T, url string, cfg jetstream.Config) jetstream.Options {
	return jetstream.Options{
		URLs: []string{url}, Name: t.Name(), Config: cfg, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	}
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*timeout)
	t.Cleanup(cancel)
	return ctx
}

// connect connects and makes the streams.
func connect(t *testing.T, url string, cfg jetstream.Config) *jetstream.Conn {
	t.Helper()
	c, err := jetstream.Connect(testContext(t), options(t, url, cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t *testing.T) (*natstest.Server, *jetstream.Conn) {
	t.Helper()
	t.Parallel()
	server := natstest.Start(t)
	return server, connect(t, server.URL(), testConfig())
}

// foreign is somebody else on the same server, who does not use the package.
func foreign(t *testing.T, url string) (*nats.Conn, njs.JetStream) {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := njs.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

func ref(order string) payment.Ref { return payment.Ref{Provider: "acme", Order: order} }

func paymentOf(r payment.Ref, status payment.Status) payment.Payment {
	return payment.Payment{
		Ref: r, Operation: payment.Deposit, Status: status, Revision: 1,
		Amount: payment.Money{Minor: 10_000, Currency: "KRW"}, UpdatedAt: time.Now().UTC(),
	}
}

func command(r payment.Ref, body string) events.Outgoing {
	return events.Outgoing{
		Subject: events.CommandSubject(payment.Deposit, r), Data: []byte(body),
		Header: events.Header{"ce-id": {"c-" + r.Order}, "X-Upstream": {"kept"}},
	}
}

func publish(t *testing.T, c *jetstream.Conn, r payment.Ref) {
	t.Helper()
	if err := c.PublishCommand(testContext(t), command(r, "body of "+r.Order)); err != nil {
		t.Fatal(err)
	}
}

// consuming runs ConsumeCommands for acme until the returned function is called or the test ends. The
// function waits for the end.
func consuming(t *testing.T, c *jetstream.Conn, slots int, handler queue.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.ConsumeCommands(ctx, "acme", slots, handler) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := receive(t, done, "the end of ConsumeCommands"); err != nil {
			t.Errorf("ConsumeCommands: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(timeout):
		t.Fatalf("%s did not come within %v", what, timeout)
		panic("unreachable")
	}
}

// eventually polls a condition on the server, for which there is no signal.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	limit, tick := time.After(timeout), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %v: %s", timeout, what)
		}
	}
}

func messages(t *testing.T, js njs.JetStream, stream string) uint64 {
	t.Helper()
	var handle njs.Stream
	eventually(t, "an answer about "+stream, func() bool { // a cluster without a leader drops questions
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var err error
		handle, err = js.Stream(ctx, stream)
		return err == nil
	})
	return handle.CachedInfo().State.Msgs
}

func orders(prefix string, n int) []payment.Ref {
	refs := make([]payment.Ref, n)
	for i := range refs {
		refs[i] = ref(fmt.Sprintf("%s-%d", prefix, i))
	}
	return refs
}
