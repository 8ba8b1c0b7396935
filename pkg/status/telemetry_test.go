package status_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/pkg/payment"
	"payonce/pkg/status"
)

// The gauges have every open status of every provider, parked and in doubt apart, and 0 where there is none.
func TestMetricsOfOpenPayments(t *testing.T) {
	before := otel.GetMeterProvider()
	defer otel.SetMeterProvider(before)
	source := metric.NewManualReader()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(source)))
	r := newReader()
	end, err := r.Report([]string{acme})
	if err != nil {
		t.Fatal(err)
	}
	r.put("D-1", payment.Parked, time.Hour)
	r.put("D-2", payment.InDoubt, 2*time.Minute)
	r.put("D-3", payment.InDoubt, time.Minute)
	if got := gauges(t, source); len(got) > 0 {
		t.Errorf("before the log was read: %v", got)
	}
	r.CaughtUp()
	got := gauges(t, source)
	for name, want := range map[string]float64{
		status.MetricOpen + " parked": 1, status.MetricOpen + " in_doubt": 2, status.MetricOpen + " submitting": 0, status.MetricOpen + " pending": 0,
		status.MetricOpen + " conflict": 0, status.MetricOpenOldest + " parked": 3600, status.MetricOpenOldest + " in_doubt": 120, status.MetricOpenOldest + " pending": 0,
	} {
		if is, there := got[name]; !there || is != want {
			t.Errorf("%s is %g (%t), want %g", name, is, there, want)
		}
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if got := gauges(t, source); len(got) > 0 {
		t.Errorf("after the end: %v", got)
	}
}

// gauges returns the values by name and status.
func gauges(t *testing.T, source *metric.ManualReader) map[string]float64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := source.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	add := func(name string, set attribute.Set, value float64) {
		of, _ := set.Value("status")
		if provider, _ := set.Value("provider"); provider.AsString() != acme {
			t.Errorf("%s is of %q", name, provider.AsString())
		}
		got[name+" "+of.AsString()] = value
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, float64(p.Value))
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					add(m.Name, p.Attributes, p.Value)
				}
			}
		}
	}
	return got
}
