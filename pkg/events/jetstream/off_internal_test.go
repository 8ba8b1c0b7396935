package jetstream

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/alloctest"
)

// off is a connection of a program that has no telemetry.
func off() *Conn { return &Conn{tracer: otel.Tracer(tracerName)} }

// A delivery and what is sent for it allocate nothing for traces while tracing is off: neither spans nor options,
// nor the place for the payment's trace.
func TestAMessageCostsNothingMoreWhereNobodyTraces(t *testing.T) {
	c, failed := off(), errors.New("failed")
	d := &delivery{Stored: broker.Stored{Stream: events.StreamCommands, Message: events.Message{
		Subject: "deposit.requested.acme-kr.o-1", Header: events.Header{"Nats-Msg-Id": {"1"}}, Deliveries: 1,
	}}}
	p := payment.Payment{Ref: payment.Ref{Provider: "acme-kr", Order: "o-1"}, Status: payment.Settled}
	header := nats.Header{"ce-id": {"1"}}
	alloctest.None(t, func() {
		ctx, span := c.startProcess(context.Background(), d, "commands-acme-kr")
		tellTrace(ctx, events.Header(header))
		sending, sent := c.startSend(ctx, events.StreamCommands, d.Message.Subject, "1")
		broker.InjectTrace(sending, header)
		finish(sent, failed)
		appending, appended := c.startAppend(ctx, p, "1")
		broker.InjectTrace(appending, header)
		finish(appended, nil)
		endProcess(span, queue.DeadLetter(events.DeadInvalid, ""))
	})
}

// The upstream's trace goes through a program without telemetry all the same, also into what a webhook brings.
func TestTheCallersTraceGoesOnWhereNobodyTraces(t *testing.T) {
	const callers = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	c, told := off(), events.Header{"traceparent": {callers}}
	p := payment.Payment{Ref: payment.Ref{Provider: "acme-kr", Order: "o-1"}, Status: payment.Settled}
	for name, message := range map[string]events.Header{"command": told, "webhook": {}} {
		ctx, _ := c.startProcess(context.Background(), &delivery{Stored: broker.Stored{Message: events.Message{Header: message}}}, "")
		tellTrace(ctx, told)
		ctx, _ = c.startAppend(ctx, p, "1")
		sent := nats.Header{}
		broker.InjectTrace(ctx, sent)
		if got := events.Header(sent).Get("ce-traceparent"); got != callers {
			t.Errorf("%s: the event carries %q", name, got)
		}
	}
}

// The text of a panic's value can be anything that the handler had in flight.
func TestAPanicIsShownWithoutItsValue(t *testing.T) {
	if got := panicText("홍길동"); got != "string" {
		t.Errorf("a text: %q", got)
	}
	if got := panicText(errors.New("홍길동")); got != "*errors.errorString" {
		t.Errorf("an error: %q", got)
	}
	defer func() {
		if got := panicText(recover()); got != "runtime error: index out of range [1] with length 0" {
			t.Errorf("the runtime's own: %q", got)
		}
	}()
	var none []int
	_ = none[len(text("x"))]
}

func text(s string) string { return s }
