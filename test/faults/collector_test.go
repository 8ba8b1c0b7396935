package faults

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collectmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collecttraces "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	measured "go.opentelemetry.io/proto/otlp/metrics/v1"
	traced "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OpenTelemetry collector: it takes what processes send by OTLP over HTTP and keeps it.
type collector struct {
	t   *testing.T
	url string

	mu      sync.Mutex
	raw     bytes.Buffer // every request's body
	spans   []span
	metrics map[string][]*measured.Metric // all that were sent, by name
}

// span is a span and who sent it.
type span struct {
	*traced.Span
	service string
}

func startCollector(t *testing.T) *collector {
	c := &collector{t: t, metrics: map[string][]*measured.Metric{}}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			c.t.Error(err)
			return
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	if err == nil {
		err = c.take(r.URL.Path, data)
	}
	if err != nil {
		c.t.Errorf("OTLP at %s: %v", r.URL.Path, err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty body is the message "taken"
}

func (c *collector) take(path string, data []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(data)
	if path == "/v1/metrics" {
		var request collectmetrics.ExportMetricsServiceRequest
		if err := proto.Unmarshal(data, &request); err != nil {
			return err
		}
		for _, resource := range request.ResourceMetrics {
			for _, scope := range resource.ScopeMetrics {
				for _, m := range scope.Metrics {
					c.metrics[m.Name] = append(c.metrics[m.Name], m)
				}
			}
		}
		return nil
	}
	var request collecttraces.ExportTraceServiceRequest
	if err := proto.Unmarshal(data, &request); err != nil {
		return err
	}
	for _, resource := range request.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans = append(c.spans, span{s, text(resource.Resource.Attributes, "service.name")})
			}
		}
	}
	return nil
}

// all returns the text of everything that came.
func (c *collector) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.raw.String()
}

// has reports whether a metric was sent.
func (c *collector) has(metric string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.metrics[metric]) > 0
}

// find returns the spans of a name, of one payment unless order is empty.
func (c *collector) find(name, order string) []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []span
	for _, s := range c.spans {
		if s.Name == name && (order == "" || s.attribute("payonce.order") == order) {
			found = append(found, s)
		}
	}
	return found
}

// of returns the spans of a name in a trace.
func (c *collector) of(name, trace string) []span {
	return slices.DeleteFunc(c.find(name, ""), func(s span) bool { return s.trace() != trace })
}

// one returns the only span of a name and an order.
func (c *collector) one(t *testing.T, name, order string) span {
	t.Helper()
	found := c.find(name, order)
	if len(found) != 1 {
		t.Fatalf("%d spans %q of %q, want 1", len(found), name, order)
	}
	return found[0]
}

func text(attributes []*common.KeyValue, key string) string {
	for _, a := range attributes {
		if a.Key == key {
			return strings.Trim(strings.TrimSpace(valueText(a.Value)), `"`)
		}
	}
	return ""
}

func valueText(v *common.AnyValue) string {
	if s, ok := v.Value.(*common.AnyValue_StringValue); ok {
		return s.StringValue
	}
	_, rest, _ := strings.Cut(v.String(), ":")
	return rest
}

func (s span) attribute(key string) string { return text(s.Attributes, key) }
func (s span) trace() string               { return hex.EncodeToString(s.TraceId) }
func (s span) id() string                  { return hex.EncodeToString(s.SpanId) }
func (s span) parent() string              { return hex.EncodeToString(s.ParentSpanId) }

// linksTo reports whether a span has a link to another one.
func (s span) linksTo(to span) bool {
	return slices.ContainsFunc(s.Links, func(l *traced.Span_Link) bool {
		return bytes.Equal(l.TraceId, to.TraceId) && bytes.Equal(l.SpanId, to.SpanId)
	})
}

// linksInto reports whether a span has a link into a trace.
func (s span) linksInto(trace string) bool {
	return slices.ContainsFunc(s.Links, func(l *traced.Span_Link) bool { return hex.EncodeToString(l.TraceId) == trace })
}
