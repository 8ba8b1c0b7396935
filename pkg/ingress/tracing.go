package ingress

import (
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// traced answers a request within a span, which continues the trace of the request's context.
func traced(w http.ResponseWriter, r *http.Request, serve endpoint) *problem {
	known := requestOf(r)
	ctx, span := otel.GetTracerProvider().Tracer(MeterName).Start(r.Context(), known.route, trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	known.traced = ctx
	refused := serve(w, r.WithContext(ctx))
	if span.IsRecording() {
		status := http.StatusOK
		if answer, ok := w.(*answerWriter); ok && answer.status != 0 {
			status = answer.status
		}
		if refused != nil {
			status = refused.Status
		}
		span.SetAttributes(semconv.HTTPRequestMethodKey.String(r.Method), semconv.HTTPRoute(r.Pattern), semconv.HTTPResponseStatusCode(status))
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
	return refused
}
