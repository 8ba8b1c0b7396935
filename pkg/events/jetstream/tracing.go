package jetstream

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// The semantic conventions of messaging, in one place. A payment has one trace, from its command to its last
// event, through every wait: each message carries the context of the span that sent it, and each event is sent
// under the one before it. What comes from outside, like a webhook, has a trace of its own. The two are linked
// both ways: the span that works on the webhook to the payment, and the event that came of it to that span.

var messagingNATS = semconv.MessagingSystemKey.String("nats")

// Attributes of our own.
const (
	attributeProvider   = attribute.Key("payonce.provider")
	attributeOrder      = attribute.Key("payonce.order")
	attributeVerdict    = attribute.Key("payonce.verdict")
	attributeDeliveries = attribute.Key("payonce.deliveries")
	attributeStatus     = attribute.Key("payonce.status")
)

var verdictNames = map[events.VerdictKind]string{
	events.Retry: "retry", events.Done: "done", events.Park: "park", events.Dead: "dead", events.Forward: "forward",
}

// story is the trace of the payment that a handler works on, as the log tells it.
type story struct {
	mu   sync.Mutex
	last trace.SpanContext
}

type storyKey struct{}

// startProcess begins the span of one delivery.
func (c *Conn) startProcess(ctx context.Context, d *delivery) (context.Context, trace.Span) {
	ctx = context.WithValue(extractTrace(ctx, d.message.Header), storyKey{}, &story{})
	ctx, span := c.tracer.Start(ctx, "process "+d.stream, trace.WithSpanKind(trace.SpanKindConsumer))
	if span.IsRecording() {
		span.SetAttributes(messagingNATS, semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
			semconv.MessagingDestinationName(d.stream), semconv.MessagingMessageID(d.message.Header.Get(headerMessageID)),
			attributeDeliveries.Int(d.message.Deliveries))
		aboutPayment(span, d.message.Subject)
	}
	return ctx, span
}

// endProcess says how the delivery was settled.
func endProcess(span trace.Span, v events.Verdict) {
	if span.IsRecording() {
		span.SetAttributes(attributeVerdict.String(verdictNames[v.Kind]))
		if v.Kind == events.Dead {
			span.SetStatus(codes.Error, string(v.Reason))
		}
	}
	span.End()
}

// startSend begins the span of a message that is published.
func (c *Conn) startSend(ctx context.Context, stream, subject string, links ...trace.Link) (context.Context, trace.Span) {
	ctx, span := c.tracer.Start(ctx, "send "+stream, trace.WithSpanKind(trace.SpanKindProducer), trace.WithLinks(links...))
	if span.IsRecording() {
		span.SetAttributes(messagingNATS, semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("publish"), semconv.MessagingDestinationName(stream))
		aboutPayment(span, subject)
	}
	return ctx, span
}

// startAppend begins the span of an event, under the payment's event before it.
func (c *Conn) startAppend(ctx context.Context, p payment.Payment) (context.Context, trace.Span) {
	var links []trace.Link
	here := trace.SpanContextFromContext(ctx)
	if told := toldStory(ctx); told.IsValid() && told.TraceID() != here.TraceID() {
		if here.IsValid() {
			links = append(links, trace.Link{SpanContext: here})
		}
		ctx = trace.ContextWithRemoteSpanContext(ctx, told)
	}
	ctx, span := c.startSend(ctx, events.StreamPayments, events.PaymentSubject(p.Status, p.Ref), links...)
	span.SetAttributes(attributeStatus.String(string(p.Status)))
	return ctx, span
}

func aboutPayment(span trace.Span, subject string) {
	if ref, ok := events.SubjectRef(subject); ok {
		span.SetAttributes(attributeProvider.String(ref.Provider), attributeOrder.String(ref.Order))
	}
}

func toldStory(ctx context.Context) trace.SpanContext {
	s, ok := ctx.Value(storyKey{}).(*story)
	if !ok {
		return trace.SpanContext{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// tellStory remembers the trace of a payment's last event, and links the delivery in hand to it.
func tellStory(ctx context.Context, header events.Header) {
	s, ok := ctx.Value(storyKey{}).(*story)
	if !ok {
		return
	}
	last := trace.SpanContextFromContext(extractTrace(context.Background(), header))
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
	if err != nil {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
