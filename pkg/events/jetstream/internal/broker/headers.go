package broker

import (
	"context"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"payonce/pkg/events"
)

// Headers that the log and the queue read.
const (
	HeaderMessageID = "Nats-Msg-Id"
	HeaderEventID   = "ce-id"
	cePrefix        = "ce-"
	// natsPrefix marks headers that tell the broker what to do (expected sequences, schedules, rollups,
	// ids) or that the broker added. They belong to one publish and are never copied to another.
	natsPrefix = "Nats-"
)

// CopyHeader copies a header without the broker's own.
func CopyHeader(from map[string][]string) nats.Header {
	to := make(nats.Header, len(from))
	for name, values := range from {
		if !isNatsHeader(name) {
			to[name] = slices.Clone(values)
		}
	}
	return to
}

func isNatsHeader(name string) bool {
	return len(name) >= len(natsPrefix) && strings.EqualFold(name[:len(natsPrefix)], natsPrefix)
}

// HeaderSafe makes text fit for a header: one line of printable text, at most max bytes.
func HeaderSafe(text string, max int) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	return cutUTF8(strings.TrimSpace(clean), max)
}

// cutUTF8 cuts valid UTF-8 to at most max bytes without splitting a character.
func cutUTF8(text string, max int) string {
	if len(text) <= max {
		return text
	}
	return strings.ToValidUTF8(text[:max], "")
}

var traceContext = propagation.TraceContext{}

// InjectTrace adds the W3C trace context of ctx, if it has one: as a header, and as the distributed tracing
// extension of CloudEvents, for readers that know only these.
func InjectTrace(ctx context.Context, header nats.Header) {
	if trace.SpanContextFromContext(ctx).IsValid() {
		traceContext.Inject(ctx, headerCarrier(header))
		for _, name := range traceContext.Fields() { // where CloudEvents keep it
			if value := events.Header(header).Get(name); value != "" {
				events.Header(header).Set(cePrefix+name, value)
			}
		}
	}
}

// ExtractTrace returns ctx with the W3C trace context of the header, if it has one.
func ExtractTrace(ctx context.Context, header events.Header) context.Context {
	if header.Get("traceparent") == "" && header.Get(cePrefix+"traceparent") != "" {
		return traceContext.Extract(ctx, propagation.MapCarrier{
			"traceparent": header.Get(cePrefix + "traceparent"), "tracestate": header.Get(cePrefix + "tracestate"),
		})
	}
	return traceContext.Extract(ctx, headerCarrier(header))
}

// headerCarrier lets OpenTelemetry read and write headers. NATS headers keep the case they are given,
// and the propagator writes lower case.
type headerCarrier map[string][]string

func (h headerCarrier) Get(key string) string { return events.Header(h).Get(key) }
func (h headerCarrier) Set(key, value string) { events.Header(h).Set(key, value) }
func (h headerCarrier) Keys() []string {
	keys := make([]string, 0, len(h))
	for key := range h {
		keys = append(keys, key)
	}
	return keys
}
