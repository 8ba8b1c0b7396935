package limits_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/pkg/limits"
)

func TestMetrics(t *testing.T) {
	reader := sdk.NewManualReader()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(noop.NewMeterProvider()) })
	synctest.Test(t, func(t *testing.T) {
		l, _ := open(t, limits.Policy{Rate: ten.Rate, Breaker: config})
		want := func(state int64) {
			t.Helper()
			if got := collect(t, reader)[limits.MetricBreaker]; got != state {
				t.Errorf("the breaker's state is %d, want %d", got, state)
			}
		}
		want(0)
		for range config.Failures {
			call(l, unreached)
		}
		want(2)
		call(l, nil)
		call(l, nil)
		time.Sleep(config.OpenFor + time.Second)
		call(l, nil)
		want(1)
		call(l, nil)
		want(0)
		for range 4 {
			reserve(t, l, 150*time.Millisecond)
		}
		got := collect(t, reader)
		for name, n := range map[string]int64{
			limits.MetricRefused: 2, limits.MetricUnshared: 4, limits.MetricRateWait + " waits": 3, limits.MetricRateWait + " refused": 1,
		} {
			if got[name] != n {
				t.Errorf("%s: %d, want %d", name, got[name], n)
			}
		}
	})
}

// collect returns the numbers of acme by the metric's name, and its result if it has one.
func collect(t *testing.T, reader *sdk.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Gauge[int64]:
			for _, point := range data.DataPoints {
				got[m.Name] = point.Value
			}
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				got[m.Name] = point.Value
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				result, _ := point.Attributes.Value("result")
				got[m.Name+" "+result.AsString()] = int64(point.Count)
			}
		}
	}
	return got
}
