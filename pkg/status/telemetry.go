package status

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The names of the metrics of open payments, by provider and status: every status that a payment without an undoubted outcome
// can have in the log.
const (
	MetricOpen       = "payonce.payments.open"
	MetricOpenOldest = "payonce.payments.open_oldest" // how many seconds ago the oldest of them was sent, or parked
)

// Report gives the open payments as metrics until end is called. Before the log was read there are none.
func (o *Open) Report(providers []string) (end func() error, err error) {
	meter := otel.Meter("payonce/status")
	open, err0 := meter.Int64ObservableGauge(MetricOpen)
	oldest, err1 := meter.Float64ObservableGauge(MetricOpenOldest, metric.WithUnit("s"))
	if err := errors.Join(err0, err1); err != nil {
		return nil, fmt.Errorf("make the gauges of open payments: %w", err)
	}
	registered, err := meter.RegisterCallback(func(_ context.Context, m metric.Observer) error {
		sum := o.Summary(providers)
		if sum == nil {
			return nil
		}
		for provider, of := range sum.Providers {
			for status, c := range of.Open {
				with := metric.WithAttributes(attribute.String("provider", provider), attribute.String("status", string(status)))
				m.ObserveInt64(open, int64(c.Number), with)
				age := 0.0
				if c.Number > 0 {
					age = max(sum.At.Sub(c.Since).Seconds(), 0)
				}
				m.ObserveFloat64(oldest, age, with)
			}
		}
		return nil
	}, open, oldest)
	if err != nil {
		return nil, fmt.Errorf("register the gauges of open payments: %w", err)
	}
	return registered.Unregister, nil
}
