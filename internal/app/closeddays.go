package app

import (
	"context"
	"fmt"
	"math"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/payment"
)

// MetricClosedDaysLeft is for how many more days the list of a provider's extra closed days is complete, below 0
// when it has run out, by provider. Providers without such a list have none.
const MetricClosedDaysLeft = "payonce.calendar.closed_days_left"

// endless is what [calendar.Hours.KnownFor] says where nothing runs out.
const endless = time.Duration(math.MaxInt64)

// reportClosedDays makes the gauge of closed days. The hours in effect do not change while the service runs.
func reportClosedDays(rt Runtime) error {
	_, err := otel.Meter("payonce/app").Float64ObservableGauge(MetricClosedDaysLeft,
		metric.WithFloat64Callback(func(_ context.Context, o metric.Float64Observer) error {
			now := rt.Now()
			for name, provider := range rt.Config.Providers {
				hours := provider.Hours.Calendar(payment.Deposit)
				if hours.KnownFor(now) == endless {
					continue
				}
				o.Observe(hours.KnownFor(now).Hours()/24, metric.WithAttributes(attribute.String("provider", name)))
			}
			return nil
		}))
	if err != nil {
		return fmt.Errorf("make the gauge of closed days: %w", err)
	}
	return nil
}
