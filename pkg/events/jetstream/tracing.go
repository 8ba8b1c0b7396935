package jetstream

import (
	"cmp"
	"context"
	"errors"
	"net"
	"strconv"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/tracing"
)

// The semantic conventions of messaging, in one place. A payment has one trace, from its command to its last
// event, through every wait: each message carries the context of the span that sent it, and each event is sent
// under the one before it. What comes from outside, like a webhook, has a trace of its own. The two are linked
// both ways: the span that works on the webhook to the payment, and the event that came of it to that span.

const tracerName = "payonce/jetstream"

var messagingNATS = semconv.MessagingSystemKey.String("nats")

// Attributes of our own.
const (
	attributeProvider   = attribute.Key("payonce.provider")
	attributeOrder      = attribute.Key("payonce.order")
	attributeVerdict    = attribute.Key("payonce.verdict")
	attributeDeliveries = attribute.Key("payonce.deliveries")
	attributeStatus     = attribute.Key("payonce.status")
)

var verdictNames = map[queue.Kind]string{
	queue.Retry: "retry", queue.Done: "done", queue.Park: "park", queue.Dead: "dead", queue.Forward: "forward",
}

// paymentTrace is the trace of the payment that a handler works on, as the log has it. It is also the context that
// carries it, so that it is part of the delivery and costs nothing where tracing is off.
type paymentTrace struct {
	context.Context
	mu   sync.Mutex
	last trace.SpanContext
}

type traceKey struct{}

func (s *paymentTrace) Value(key any) any {
	if key == (traceKey{}) {
		return s
	}
	return s.Context.Value(key)
}

// traces reports whether spans are made.
func (c *Conn) traces() bool { return c.ownTracer || tracing.On() }

// startProcess begins the span of one delivery.
func (c *Conn) startProcess(ctx context.Context, d *delivery, consumer string) (context.Context, trace.Span) {
	d.paymentTrace.Context = broker.ExtractTrace(ctx, d.Message.Header)
	if !c.traces() {
		return &d.paymentTrace, tracing.None
	}
	ctx, span := c.tracer.Start(&d.paymentTrace, "process "+d.Stream, trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
			semconv.MessagingConsumerGroupName(consumer), attributeDeliveries.Int(d.Message.Deliveries))
		c.aboutMessage(span, d.Stream, cmp.Or(d.Message.Header.Get(broker.HeaderMessageID), d.Message.Header.Get(broker.HeaderEventID)))
		aboutPayment(span, d.Message.Subject)
	}
	return ctx, span
}

// endProcess says how the delivery was settled.
func endProcess(span trace.Span, v queue.Verdict) {
	if span.IsRecording() {
		span.SetAttributes(attributeVerdict.String(verdictNames[v.Kind]))
		if v.Kind == queue.Dead {
			span.SetAttributes(semconv.ErrorTypeKey.String(string(v.Reason)))
			span.SetStatus(codes.Error, string(v.Reason))
		}
	}
	span.End()
}

// startSend begins the span of a message that is published under an id.
func (c *Conn) startSend(ctx context.Context, stream, subject, id string) (context.Context, trace.Span) {
	if !c.traces() {
		return ctx, tracing.None
	}
	ctx, span := c.tracer.Start(ctx, "send "+stream, trace.WithSpanKind(trace.SpanKindProducer))
	if span.IsRecording() {
		span.SetAttributes(semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("send"))
		c.aboutMessage(span, stream, id)
		aboutPayment(span, subject)
	}
	return ctx, span
}

// startAppend begins the span of an event, under the payment's event before it.
func (c *Conn) startAppend(ctx context.Context, p payment.Payment, id string) (context.Context, trace.Span) {
	here, told := trace.SpanContextFromContext(ctx), toldTrace(ctx)
	elsewhere := told.IsValid() && told.TraceID() != here.TraceID()
	if elsewhere {
		ctx = trace.ContextWithRemoteSpanContext(ctx, told)
	}
	if !c.traces() {
		return ctx, tracing.None
	}
	ctx, span := c.startSend(ctx, events.StreamPayments, events.PaymentSubject(p.Status, p.Ref), id)
	if elsewhere && here.IsValid() {
		span.AddLink(trace.Link{SpanContext: here})
	}
	span.SetAttributes(attributeStatus.String(string(p.Status)))
	return ctx, span
}

// aboutMessage says what the semantic conventions want to know of a message and its broker.
func (c *Conn) aboutMessage(span trace.Span, stream, id string) {
	span.SetAttributes(messagingNATS, semconv.MessagingDestinationName(stream))
	if id != "" {
		span.SetAttributes(semconv.MessagingMessageID(id))
	}
	if host, port, err := net.SplitHostPort(c.broker.NATS.ConnectedAddr()); err == nil { // not while the connection is down
		span.SetAttributes(semconv.ServerAddress(host))
		if number, err := strconv.Atoi(port); err == nil {
			span.SetAttributes(semconv.ServerPort(number))
		}
	}
}

func aboutPayment(span trace.Span, subject string) {
	if ref, ok := events.SubjectRef(subject); ok {
		span.SetAttributes(attributeProvider.String(ref.Provider), attributeOrder.String(ref.Order))
	}
}

func toldTrace(ctx context.Context) trace.SpanContext {
	s, ok := ctx.Value(traceKey{}).(*paymentTrace)
	if !ok {
		return trace.SpanContext{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// tellTrace remembers the trace of a payment's last event, and links the delivery in flight to it.
func tellTrace(ctx context.Context, header events.Header) {
	s, ok := ctx.Value(traceKey{}).(*paymentTrace)
	if !ok {
		return
	}
	last := trace.SpanContextFromContext(broker.ExtractTrace(context.Background(), header))
	if !last.IsValid() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if span := trace.SpanFromContext(ctx); !s.last.IsValid() && last.TraceID() != span.SpanContext().TraceID() {
		span.AddLink(trace.Link{SpanContext: last})
	}
	s.last = last
}

// finish ends a span with its error, if there was one. The error's text stays out: it can be anything.
func finish(span trace.Span, err error) {
	if err != nil && span.IsRecording() {
		span.SetAttributes(semconv.ErrorTypeKey.String(errorType(err)))
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// errorType names a failure for dashboards, with a word out of few.
func errorType(err error) string {
	switch {
	case errors.Is(err, events.ErrStale):
		return "stale"
	case errors.Is(err, events.ErrQueued):
		return "queued"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return semconv.ErrorTypeOther.Value.AsString()
}
