// Package tracing says whether tracing is on, and begins the spans of calls of a provider, which several
// packages make. Where tracing is off it begins none, and allocates nothing: the API of OpenTelemetry alone
// makes a context and options for every span, also for one that is not recorded.
package tracing

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// unset is the provider of a program that set none.
var unset = otel.GetTracerProvider()

// None is a span that does nothing.
var None = trace.SpanFromContext(context.Background())

// On reports whether the program has set a provider of traces. It is safe for concurrent use.
func On() bool { return otel.GetTracerProvider() != unset }

// Call is the span of one call of a provider.
type Call struct{ span trace.Span }

// StartCall begins the span of one call of a provider, under the span of ctx if that has one. call is
// "submit", "lookup", "clarify", "banks" or "balance"; the order is empty, and attempt 0, where the call is
// about none.
func StartCall(ctx context.Context, call string, ref payment.Ref, attempt int) (context.Context, Call) {
	provider := otel.GetTracerProvider()
	if parent := trace.SpanFromContext(ctx); parent.IsRecording() {
		provider = parent.TracerProvider()
	} else if !On() {
		return ctx, Call{None}
	}
	ctx, span := provider.Tracer("payonce/provider").Start(ctx, "provider "+call)
	if span.IsRecording() {
		span.SetAttributes(attribute.String("payonce.provider", ref.Provider), attribute.String("payonce.call", call))
		if ref.Order != "" {
			span.SetAttributes(attribute.String("payonce.order", ref.Order), attribute.Int("payonce.attempt", attempt))
		}
	}
	return ctx, Call{span}
}

// End ends the span with the call's error, of which only the class is kept.
func (c Call) End(err error) {
	if err != nil && c.span.IsRecording() {
		class := connectors.ClassOf(err).String()
		c.span.SetAttributes(attribute.String("payonce.class", class))
		c.span.SetStatus(codes.Error, class)
	}
	c.span.End()
}
