package limits

import (
	"context"
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The names of the metrics, all by provider.
const (
	MetricBreaker  = "payonce.breaker.state"   // 0 closed, 1 half open, 2 open
	MetricRefused  = "payonce.breaker.refused" // calls that the breaker did not let through
	MetricRateWait = "payonce.rate.wait"       // seconds that a call must wait for the budget; result: waits, refused
	MetricUnshared = "payonce.rate.unshared"   // places taken without the shared budget
	// MetricAccount is 1 while the provider refuses our account for a way of paying, by provider, way and the
	// provider's code.
	MetricAccount = "payonce.account.misconfigured"
)

type instruments struct {
	breaker, account  metric.Int64Gauge
	refused, unshared metric.Int64Counter
	rateWait          metric.Float64Histogram
}

func newInstruments() (*instruments, error) {
	meter := otel.Meter("payonce/limits")
	var i instruments
	var errs [5]error
	i.breaker, errs[0] = meter.Int64Gauge(MetricBreaker)
	i.refused, errs[1] = meter.Int64Counter(MetricRefused)
	i.unshared, errs[2] = meter.Int64Counter(MetricUnshared)
	i.rateWait, errs[3] = meter.Float64Histogram(MetricRateWait, metric.WithUnit("s"))
	i.account, errs[4] = meter.Int64Gauge(MetricAccount)
	return &i, errors.Join(errs[:]...)
}

func of(provider string, more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributes(append(more, attribute.String("provider", provider))...)
}

func (i *instruments) breakerIs(ctx context.Context, provider string, s gobreaker.State) {
	if i.breaker.Enabled(ctx) { // no reader: attributes would be made in vain
		i.breaker.Record(ctx, int64(s), of(provider))
	}
}

func (i *instruments) accountIs(ctx context.Context, w wayOf, code string, misconfigured int64) {
	if i.account.Enabled(ctx) {
		i.account.Record(ctx, misconfigured, of(w.provider, attribute.String("way", w.way), attribute.String("code", code)))
	}
}

func (i *instruments) refusedCall(ctx context.Context, provider string) {
	if i.refused.Enabled(ctx) {
		i.refused.Add(ctx, 1, of(provider))
	}
}

func (i *instruments) reserved(ctx context.Context, provider string, wait time.Duration, ok, shared bool) {
	if !i.rateWait.Enabled(ctx) {
		return
	}
	result := "waits"
	if !ok {
		result = "refused"
	}
	i.rateWait.Record(ctx, wait.Seconds(), of(provider, attribute.String("result", result)))
	if !shared {
		i.unshared.Add(ctx, 1, of(provider))
	}
}
