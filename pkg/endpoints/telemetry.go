package endpoints

import (
	"context"
	"errors"
	"fmt"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The names of the metrics, all by endpoint.
const (
	MetricEvents  = "payonce.endpoint.events"  // what became of events: delivered, postponed, dead_lettered, unreadable
	MetricRequest = "payonce.endpoint.request" // seconds that a request took; answer: 2xx … 5xx, none
	MetricBreaker = "payonce.endpoint.breaker" // 0 closed, 1 half open, 2 open
	MetricWaiting = "payonce.endpoint.waiting" // events that an endpoint has not taken yet; where: log, or again after an attempt
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
}

func newInstruments() (*instruments, error) {
	meter := otel.Meter("payonce/endpoints")
	var i instruments
	var errs [4]error
	i.events, errs[0] = meter.Int64Counter(MetricEvents)
	i.requests, errs[1] = meter.Float64Histogram(MetricRequest, metric.WithUnit("s"))
	i.breaker, errs[2] = meter.Int64Gauge(MetricBreaker)
	i.waiting, errs[3] = meter.Int64Gauge(MetricWaiting)
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

func (i *instruments) waits(ctx context.Context, endpoint, where string, n int) {
	i.waiting.Record(ctx, int64(n), of(endpoint, attribute.String("where", where)))
}

func (i *instruments) breakerIs(endpoint string, s gobreaker.State) {
	i.breaker.Record(context.Background(), int64(s), of(endpoint))
}
