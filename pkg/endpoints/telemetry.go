package endpoints

import (
	"context"
	"errors"
	"fmt"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/events"
)

// The names of the metrics, all by endpoint.
const (
	MetricEvents  = "payonce.endpoint.events"  // what became of events: delivered, postponed, dead_lettered, unreadable
	MetricRequest = "payonce.endpoint.request" // seconds that a request took; answer: 2xx … 5xx, none
	MetricBreaker = "payonce.endpoint.breaker" // 0 closed, 1 half open, 2 open
	MetricWaiting = "payonce.endpoint.waiting" // events that an endpoint has not taken yet; where: log, or again after an attempt
	// MetricDisabled is 1 while an operator has the events of an endpoint wait.
	MetricDisabled = "payonce.endpoint.disabled"
)

const (
	resultDelivered    = "delivered"
	resultPostponed    = "postponed"
	resultDeadLettered = "dead_lettered"
	resultUnreadable   = "unreadable"
)

type instruments struct {
	events   metric.Int64Counter
	requests metric.Float64Histogram
	breaker  metric.Int64Gauge
	waiting  metric.Int64Gauge
	disabled metric.Int64Gauge
}

func newInstruments() (*instruments, error) {
	meter := otel.Meter("payonce/endpoints")
	var i instruments
	var errs [5]error
	i.events, errs[0] = meter.Int64Counter(MetricEvents)
	i.requests, errs[1] = meter.Float64Histogram(MetricRequest, metric.WithUnit("s"))
	i.breaker, errs[2] = meter.Int64Gauge(MetricBreaker)
	i.waiting, errs[3] = meter.Int64Gauge(MetricWaiting)
	i.disabled, errs[4] = meter.Int64Gauge(MetricDisabled)
	return &i, errors.Join(errs[:]...)
}

func of(endpoint string, more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(more, attribute.String("endpoint", endpoint))...)
}

func (i *instruments) event(ctx context.Context, endpoint, result string) {
	i.events.Add(ctx, 1, of(endpoint, attribute.String("result", result)))
}

func (i *instruments) request(ctx context.Context, endpoint string, r result) {
	answer := "none"
	if r.status > 0 {
		answer = fmt.Sprintf("%dxx", r.status/100)
	}
	i.requests.Record(ctx, r.took.Seconds(), of(endpoint, attribute.String("answer", answer)))
}

func (i *instruments) waits(ctx context.Context, endpoint string, b events.EndpointBacklog) {
	i.waiting.Record(ctx, int64(b.New), of(endpoint, attribute.String("where", "log")))
	i.waiting.Record(ctx, int64(b.Due), of(endpoint, attribute.String("where", "again")))
	disabled := int64(0)
	if b.Disabled {
		disabled = 1
	}
	i.disabled.Record(ctx, disabled, of(endpoint))
}

func (i *instruments) breakerIs(endpoint string, s gobreaker.State) {
	i.breaker.Record(context.Background(), int64(s), of(endpoint))
}
