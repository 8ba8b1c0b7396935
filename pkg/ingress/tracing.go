package ingress

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/tracing"
)

// traced answers a request within a span, which continues the trace of ctx, where tracing is on. Every line
// that is logged about the request then names the span, also that of a refusal.
func traced(ctx context.Context, w http.ResponseWriter, r *http.Request, serve endpoint) *problem {
	if !tracing.On() {
		if trace.SpanContextFromContext(ctx).IsValid() { // the caller's trace goes on without us
			r = r.WithContext(ctx)
		}
		return serve(w, r)
	}
	known := requestOf(r)
	ctx, span := otel.GetTracerProvider().Tracer(MeterName).Start(ctx, known.route, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	known.traced = ctx
	status := http.StatusInternalServerError // of a panic
	defer func() { describe(span, r, status) }()
	refused := serve(w, r.WithContext(ctx))
	answer, _ := w.(*answerWriter)
	switch {
	case refused != nil:
		status = refused.Status
	case answer != nil && answer.status != 0:
		status = answer.status
	default:
		status = http.StatusOK
	}
	return refused
}

// describe says what was asked and answered, with nothing that the client chose.
func describe(span trace.Span, r *http.Request, status int) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(semconv.HTTPRequestMethodKey.String(r.Method), semconv.HTTPRoute(r.Pattern), semconv.HTTPResponseStatusCode(status))
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}
