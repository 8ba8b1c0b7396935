package httpcall

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// noSpan does nothing.
var noSpan = trace.SpanFromContext(context.Background())

// startSpan begins the span of a request, where the caller has one. It names the server and nothing else of the
// URL: paths and queries of providers hold order numbers, tokens and signatures. The provider is sent no trace
// context: it is ours.
func startSpan(ctx context.Context, method string, to *url.URL) (context.Context, trace.Span) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, noSpan
	}
	ctx, span := parent.TracerProvider().Tracer("payonce/httpcall").
		Start(ctx, method, trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(semconv.HTTPRequestMethodKey.String(method), semconv.URLScheme(to.Scheme), semconv.ServerAddress(to.Hostname()))
		if port, err := strconv.Atoi(to.Port()); err == nil {
			span.SetAttributes(semconv.ServerPort(port))
		}
	}
	return ctx, span
}

// endSpan says what came of the request.
func endSpan(span trace.Span, status int, err error) {
	if span.IsRecording() {
		if status > 0 {
			span.SetAttributes(semconv.HTTPResponseStatusCode(status))
		}
		if err != nil || status >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}
