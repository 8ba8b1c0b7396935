package jetstream_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// traced is a connection whose spans a test reads.
type traced struct {
	*testing.T
	*admin.Conn
	tracer trace.Tracer
	spans  *tracetest.SpanRecorder
}

func startTraced(t *testing.T) (*natstest.Server, *traced) {
	t.Helper()
	t.Parallel()
	server := natstest.Start(t)
	spans := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
	o := options(t, server.URL(), testConfig())
	o.Tracers = provider
	conn, err := jetstreamtest.Dial(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	return server, &traced{t, conn, provider.Tracer("test"), spans}
}

// span waits for the ended span of this name that is about the order.
func (s *traced) span(name, order string, after trace.SpanContext) sdktrace.ReadOnlySpan {
	s.Helper()
	var found sdktrace.ReadOnlySpan
	eventually(s.T, name+" of "+order, func() bool {
		for _, span := range s.spans.Ended() {
			if span.Name() == name && attributeOf(span, "payonce.order") == order && (!after.IsValid() || span.Parent().SpanID() == after.SpanID()) {
				found = span
			}
		}
		return found != nil
	})
	return found
}

func attributeOf(span sdktrace.ReadOnlySpan, key string) string {
	for _, a := range span.Attributes() {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

func (s *traced) has(span sdktrace.ReadOnlySpan, attributes map[string]string) {
	s.Helper()
	for key, want := range attributes {
		if got := attributeOf(span, key); got != want {
			s.Errorf("%s: %s is %q, want %q", span.Name(), key, got, want)
		}
	}
}

// follows fails the test unless a span is the next of another one's trace.
func (s *traced) follows(span sdktrace.ReadOnlySpan, before trace.SpanContext) {
	s.Helper()
	if span.Parent().SpanID() != before.SpanID() || span.SpanContext().TraceID() != before.TraceID() {
		s.Errorf("%s does not follow %s", span.Name(), before.SpanID())
	}
}

func linked(span sdktrace.ReadOnlySpan, to trace.SpanContext) bool {
	return slices.ContainsFunc(span.Links(), func(l sdktrace.Link) bool { return l.SpanContext.Equal(to.WithRemote(l.SpanContext.IsRemote())) })
}

func TestOneTraceFromACommandToItsEvents(t *testing.T) {
	server, s := startTraced(t)
	ctx, upstream := s.tracer.Start(testContext(t), "upstream")
	if err := s.PublishCommand(ctx, command(ref("o-1"), "{}")); err != nil {
		t.Fatal(err)
	}
	stop := consuming(t, s.Conn, 1, func(ctx context.Context, m events.Message) queue.Verdict {
		if r, _ := events.SubjectRef(m.Subject); r == ref("o-1") {
			if _, err := s.Append(ctx, paymentOf(r, payment.Submitting), 0); err != nil {
				t.Errorf("append: %v", err)
			}
			if _, err := s.Append(ctx, paymentOf(r, payment.Failed), 0); !errors.Is(err, events.ErrStale) {
				t.Errorf("append after another event: %v", err)
			}
			return queue.Acknowledge()
		}
		return queue.DeadLetter(events.DeadInvalid, "a detail that no span may hold")
	})
	sent := s.span("send COMMANDS", "o-1", upstream.SpanContext())
	worked := s.span("process COMMANDS", "o-1", sent.SpanContext())
	event := s.span("send PAYMENTS", "o-1", trace.SpanContext{})
	s.follows(sent, upstream.SpanContext())
	s.follows(worked, sent.SpanContext())
	s.follows(event, worked.SpanContext())
	s.has(sent, map[string]string{
		"messaging.system": "nats", "messaging.destination.name": "COMMANDS", "messaging.operation.type": "send", "messaging.operation.name": "send",
		"messaging.consumer.group.name": "", "server.address": "127.0.0.1", "payonce.provider": "acme", "error.type": "",
	})
	s.has(worked, map[string]string{
		"messaging.system": "nats", "messaging.operation.type": "process", "messaging.operation.name": "process", "messaging.consumer.group.name": "commands-acme",
		"payonce.verdict": "done", "payonce.deliveries": "1", "messaging.message.id": attributeOf(sent, "messaging.message.id"), "error.type": "",
	})
	if port := attributeOf(sent, "server.port"); port == "" || attributeOf(sent, "messaging.message.id") == "" {
		t.Errorf("no port or no id: %v", sent.Attributes())
	}
	outcomes := map[string]codes.Code{}
	for _, span := range s.spans.Ended() {
		if span.Name() == "send PAYMENTS" {
			outcomes[attributeOf(span, "payonce.status")+" "+attributeOf(span, "error.type")] = span.Status().Code
		}
	}
	if len(outcomes) != 2 || outcomes["submitting "] != codes.Unset || outcomes["failed stale"] != codes.Error {
		t.Errorf("events: %v", outcomes)
	}

	// A client that does not use the package keeps the trace where CloudEvents keep it.
	nc, _ := foreign(t, server.URL())
	remote := upstream.SpanContext()
	m := &nats.Msg{Subject: events.CommandSubject(payment.Deposit, ref("o-2")), Data: []byte("{}"), Header: nats.Header{
		"ce-id": {"c-2"}, "ce-traceparent": {"00-" + remote.TraceID().String() + "-" + remote.SpanID().String() + "-01"},
	}}
	if _, err := nc.RequestMsg(m, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	dead := s.span("process COMMANDS", "o-2", remote)
	s.follows(dead, remote)
	s.has(dead, map[string]string{"payonce.verdict": "dead", "error.type": "invalid"})
	if dead.Status().Code != codes.Error || dead.Status().Description != "invalid" {
		t.Errorf("the status is %+v", dead.Status())
	}
	stop()
}

// A webhook has a trace of its own. The event that came of it follows the payment's event before it; the two
// traces know of each other.
func TestAWebhooksTraceIsLinkedToItsPayment(t *testing.T) {
	_, s := startTraced(t)
	r := ref("o-1")
	orders, order := s.tracer.Start(testContext(t), "order")
	seq, err := s.Append(orders, paymentOf(r, payment.Pending), 0)
	if err != nil {
		t.Fatal(err)
	}
	first := s.span("send PAYMENTS", "o-1", order.SpanContext())
	calls, call := s.tracer.Start(testContext(t), "webhook")
	if err := s.PublishWebhook(calls, events.Outgoing{Subject: events.WebhookSubject(r), Data: []byte("{}")}, "id"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- s.ConsumeWebhooks(ctx, "acme", 1, func(ctx context.Context, _ events.Message) queue.Verdict {
			if _, _, err := s.Last(ctx, r); err != nil {
				t.Errorf("last: %v", err)
			}
			if _, err := s.Append(ctx, paymentOf(r, payment.Settled), seq); err != nil {
				t.Errorf("append: %v", err)
			}
			return queue.Acknowledge()
		})
	}()
	worked := s.span("process WEBHOOKS", "o-1", trace.SpanContext{})
	settled := s.span("send PAYMENTS", "o-1", first.SpanContext())
	s.follows(settled, first.SpanContext())
	if worked.SpanContext().TraceID() != call.SpanContext().TraceID() {
		t.Error("the webhook is worked on in another trace than its own")
	}
	if !linked(worked, first.SpanContext()) || !linked(settled, worked.SpanContext()) {
		t.Errorf("links: %v and %v", worked.Links(), settled.Links())
	}
	cancel()
	if err := receive(t, done, "the end of ConsumeWebhooks"); err != nil {
		t.Error(err)
	}
}

func TestSpansOfFailuresNameTheirKind(t *testing.T) {
	_, s := startTraced(t)
	over, cancel := context.WithCancel(testContext(t))
	cancel()
	late, stop := context.WithDeadline(testContext(t), time.Unix(0, 0))
	defer stop()
	for order, ctx := range map[string]context.Context{"cancelled": over, "timeout": late} {
		if _, err := s.Append(ctx, paymentOf(ref(order), payment.Submitting), 0); err == nil {
			t.Errorf("%s: appended", order)
		}
		span := s.span("send PAYMENTS", order, trace.SpanContext{})
		s.has(span, map[string]string{"error.type": order})
		if span.Status().Code != codes.Error || span.Status().Description != "" {
			t.Errorf("%s: %+v", order, span.Status())
		}
	}
}
