package jetstream_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/secret"
	"payonce/test/natstest"
)

func TestOptionsValidate(t *testing.T) {
	_, err := jetstream.Connect(t.Context(), jetstream.Options{User: "u", Credentials: secret.New("f"), Password: secret.New("hunter2-hunter2")})
	if err == nil {
		t.Fatal("no problem found")
	}
	for _, text := range []string{"URL", "name", "logger", "only one of", "replicas"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in %q", text, err)
		}
	}
}

func TestConnectSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	stopped := natstest.Start(t)
	stopped.Stop()
	running := natstest.Start(t)
	plain, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	plain.Start()
	t.Cleanup(plain.Shutdown)
	if !plain.ReadyForConnections(timeout) {
		t.Fatal("the server does not start")
	}
	for name, test := range map[string]struct {
		change func(*jetstream.Options)
		want   string
	}{
		"no server":       {func(o *jetstream.Options) { o.URLs = []string{stopped.URL()} }, "no servers available"},
		"no JetStream":    {func(o *jetstream.Options) { o.URLs = []string{plain.ClientURL()} }, "JetStream is not available"},
		"broken nkey":     {func(o *jetstream.Options) { o.NKeySeed = secret.New("SUBROKEN") }, "nkey seed is not valid"},
		"broken creds":    {func(o *jetstream.Options) { o.Credentials = secret.New("no jwt") }, "credentials are not"},
		"TLS not offered": {func(o *jetstream.Options) { o.TLS = &tls.Config{MinVersion: tls.VersionTLS12} }, "secure"},
	} {
		o := options(t, running.URL(), testConfig())
		test.change(&o)
		if c, err := jetstream.Connect(testContext(t), o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
			if c != nil {
				_ = c.Close()
			}
		}
	}
}

func TestConnectLogsIn(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		server server.Options
		right  func(*jetstream.Options)
		wrong  func(*jetstream.Options)
	}{
		"nkey": {
			server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}},
			func(o *jetstream.Options) { o.NKeySeed = secret.New(string(seed)) },
			func(o *jetstream.Options) {},
		},
		"user": {
			server.Options{Username: "payonce", Password: "right-password"},
			func(o *jetstream.Options) { o.User, o.Password = "payonce", secret.New("right-password") },
			func(o *jetstream.Options) { o.User, o.Password = "payonce", secret.New("wrong-password") },
		},
	} {
		serverOptions := test.server
		serverOptions.Host, serverOptions.Port, serverOptions.NoLog, serverOptions.NoSigs = "127.0.0.1", -1, true, true
		serverOptions.JetStream, serverOptions.StoreDir = true, t.TempDir()
		s, err := server.NewServer(&serverOptions)
		if err != nil {
			t.Fatal(err)
		}
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		if !s.ReadyForConnections(timeout) {
			t.Fatal("the server does not start")
		}
		o := options(t, s.ClientURL(), testConfig())
		test.wrong(&o)
		if _, err := jetstream.Connect(testContext(t), o); err == nil || strings.Contains(err.Error(), "wrong-password") {
			t.Errorf("%s: a wrong login: %v", name, err)
		}
		test.right(&o)
		c, err := jetstream.Connect(testContext(t), o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := c.Ready(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := c.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTraceContextTravels(t *testing.T) {
	server, c := start(t)
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1, 2, 3}, SpanID: trace.SpanID{4, 5, 6}, TraceFlags: trace.FlagsSampled,
	})
	ctx := trace.ContextWithSpanContext(testContext(t), span)
	got := make(chan trace.SpanContext, 1)
	consuming(t, c, 1, func(ctx context.Context, m events.Message) queue.Verdict {
		if m.Deliveries == 1 && m.Header.Get(events.HeaderRequestedAt) == "" {
			return queue.ParkUntil(time.Now())
		}
		got <- trace.SpanContextFromContext(ctx)
		return queue.Acknowledge()
	})
	out := command(ref("D-1"), "x")
	if err := c.PublishCommand(ctx, out); err != nil {
		t.Fatal(err)
	}
	if s := receive(t, got, "the parked command"); s.TraceID() != span.TraceID() || s.SpanID() != span.SpanID() || !s.IsRemote() {
		t.Errorf("the handler sees %+v", s)
	}
	if len(out.Header) != 2 {
		t.Errorf("the caller's header was changed: %v", out.Header)
	}
	if _, err := c.Append(ctx, paymentOf(ref("D-1"), payment.Submitting), 0); err != nil {
		t.Fatal(err)
	}
	_, js := foreign(t, server.URL())
	stream, err := js.Stream(ctx, events.StreamPayments)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := stream.GetLastMsgForSubject(ctx, "payment.*.acme.D-1")
	want := fmt.Sprintf("00-%s-%s-01", span.TraceID(), span.SpanID())
	if err != nil || raw.Header.Get("traceparent") != want {
		t.Errorf("the event has %v (%v), want %s", raw.Header, err, want)
	}
}
