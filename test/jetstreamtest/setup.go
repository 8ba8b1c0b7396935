// Package jetstreamtest starts a nats-server for the tests of the packages that use it.
package jetstreamtest

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/natstest"
)

// Timeout bounds waits for what must happen. The machine can be slow.
const Timeout = 2 * time.Minute

// Config is quick to try again, and small.
func Config() jetstream.Config {
	cfg := streamconfig.Of(config.Defaults())
	cfg.PublishTimeout = 500 * time.Millisecond
	cfg.RetryDelay = 50 * time.Millisecond
	cfg.DeadLetterBytes = events.MinDeadLetterBytes // the server reserves it, and some tests have small disks
	cfg.RefusedBytes, cfg.RefusalBytes = 64<<10, 64<<10
	return cfg
}

// Options connect to url.
func Options(t *testing.T, url string, cfg jetstream.Config) jetstream.Options {
	return jetstream.Options{
		URLs: []string{url}, Name: t.Name(), Config: cfg, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	}
}

// Context ends when the test has waited too long.
func Context(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*Timeout)
	t.Cleanup(cancel)
	return ctx
}

// Connect connects and makes the streams.
func Connect(t *testing.T, url string, cfg jetstream.Config) *admin.Conn {
	t.Helper()
	c := Reconnect(t, url, cfg)
	if err := c.EnsureStreams(Context(t)); err != nil {
		t.Fatal(err)
	}
	return c
}

// Start starts a server, connects and makes the streams.
func Start(t *testing.T) (*natstest.Server, *admin.Conn) {
	t.Helper()
	t.Parallel()
	server := natstest.Start(t)
	return server, Connect(t, server.URL(), Config())
}

// Foreign is another client on the same server, which does not use the package.
func Foreign(t *testing.T, url string) (*nats.Conn, njs.JetStream) {
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

// Ref is an order of the provider acme.
func Ref(order string) payment.Ref { return payment.Ref{Provider: "acme", Order: order} }

// PaymentOf is a payment in a status.
func PaymentOf(r payment.Ref, status payment.Status) payment.Payment {
	return payment.Payment{
		Ref: r, Operation: payment.Deposit, Status: status, Revision: 1,
		Amount: payment.Money{Minor: 10_000, Currency: "KRW"}, UpdatedAt: time.Now().UTC(),
	}
}

// Command is a command with a body.
func Command(r payment.Ref, body string) events.Outgoing {
	return events.Outgoing{
		Subject: events.CommandSubject(payment.Deposit, r), Data: []byte(body),
		Header: events.Header{"ce-id": {"c-" + r.Order}, "X-Upstream": {"kept"}},
	}
}

// Publish puts a command into the queue.
func Publish(t *testing.T, c *admin.Conn, r payment.Ref) {
	t.Helper()
	if err := c.PublishCommand(Context(t), Command(r, "body of "+r.Order)); err != nil {
		t.Fatal(err)
	}
}

// Consuming runs ConsumeCommands for acme until the returned function is called or the test ends. The
// function waits for the end.
func Consuming(t *testing.T, c *admin.Conn, slots int, handler queue.Handler) (stop func()) {
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
		if err := Receive(t, done, "the end of ConsumeCommands"); err != nil {
			t.Errorf("ConsumeCommands: %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// Receive waits for what ch brings.
func Receive[T any](t *testing.T, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(Timeout):
		t.Fatalf("%s did not come within %v", what, Timeout)
		panic("unreachable")
	}
}

// Eventually polls a condition on the server, for which there is no signal.
func Eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	limit, tick := time.After(Timeout), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %v: %s", Timeout, what)
		}
	}
}

// Messages counts those of a stream.
func Messages(t *testing.T, js njs.JetStream, stream string) uint64 {
	t.Helper()
	var handle njs.Stream
	Eventually(t, "an answer about "+stream, func() bool { // a cluster without a leader drops questions
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var err error
		handle, err = js.Stream(ctx, stream)
		return err == nil
	})
	return handle.CachedInfo().State.Msgs
}

// Orders are n orders.
func Orders(prefix string, n int) []payment.Ref {
	refs := make([]payment.Ref, n)
	for i := range refs {
		refs[i] = Ref(fmt.Sprintf("%s-%d", prefix, i))
	}
	return refs
}

// Dial connects.
func Dial(ctx context.Context, o jetstream.Options) (*admin.Conn, error) {
	conn, err := jetstream.Connect(ctx, o)
	if err != nil {
		return nil, err
	}
	return admin.New(conn), nil
}

// Reconnect connects and makes no streams.
func Reconnect(t *testing.T, url string, cfg jetstream.Config) *admin.Conn {
	t.Helper()
	c, err := Dial(Context(t), Options(t, url, cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
