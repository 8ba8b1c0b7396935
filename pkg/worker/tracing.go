package worker

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/connectors"
)

// traceCall begins the span of one call of a provider, under the span of the delivery. The returned function
// ends it with the call's error, of which only the class is kept.
func traceCall(ctx context.Context, j *job, call string) (context.Context, func(error)) {
	ctx, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("payonce/worker").Start(ctx, "provider "+call)
	if !span.IsRecording() {
		return ctx, func(error) { span.End() }
	}
	span.SetAttributes(attribute.String("payonce.provider", j.ref.Provider), attribute.String("payonce.order", j.ref.Order),
		attribute.String("payonce.call", call), attribute.Int("payonce.attempt", j.payment.Attempts))
	return ctx, func(err error) {
		if err != nil {
			class := connectors.ClassOf(err).String()
			span.SetAttributes(attribute.String("payonce.class", class))
			span.SetStatus(codes.Error, class)
		}
		span.End()
	}
}
