package jetstreamtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/status"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/statistics"
)

// Reported is a connection that reports its levels.
type Reported struct {
	*admin.Conn
	t      *testing.T
	URL    string
	reader *sdk.ManualReader
	Open   *status.Open // follows the log, as a process does that reports
}

// Report is one more process that reports.
func Report(t *testing.T, url string) *Reported {
	t.Helper()
	cfg := Config()
	cfg.LevelsEvery = 50 * time.Millisecond
	r := &Reported{t: t, URL: url, reader: sdk.NewManualReader(), Open: status.NewOpen(time.Now)}
	o := Options(t, url, cfg)
	var err error
	if r.Conn, err = Dial(Context(t), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	reporter, err := statistics.New(r.Conn.Conn, sdk.NewMeterProvider(sdk.WithReader(r.reader)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- reporter.ReportLevels(ctx, []string{"acme"}) }()
	followed := make(chan error, 1)
	go func() { followed <- reporter.FollowHeaders(ctx, r.Open) }()
	t.Cleanup(func() {
		cancel()
		if err := Receive(t, followed, "the end of FollowHeaders"); err != nil {
			t.Error(err)
		}
		if err := Receive(t, done, "the end of ReportLevels"); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Levels returns all gauges now, by name and attributes.
func (r *Reported) Levels() map[string]float64 {
	r.t.Helper()
	var all metricdata.ResourceMetrics
	if err := r.reader.Collect(context.Background(), &all); err != nil {
		r.t.Fatal(err)
	}
	got := map[string]float64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					got[m.Name+named(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					got[m.Name+named(p.Attributes)] = p.Value
				}
			}
		}
	}
	return got
}

func named(set attribute.Set) string {
	var parts []string
	for _, a := range set.ToSlice() {
		parts = append(parts, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, " ") + "}"
}

// Until waits for levels; 0 is there and is nothing, -1 is anything above 0.
func (r *Reported) Until(want map[string]float64) {
	r.t.Helper()
	var got map[string]float64
	defer func() {
		if r.t.Failed() {
			r.t.Logf("the levels are %v, want %v", got, want)
		}
	}()
	Eventually(r.t, "the levels", func() bool {
		got = r.Levels()
		for name, n := range want {
			if is, there := got[name]; !there || is != n && (n != -1 || is <= 0) {
				return false
			}
		}
		return true
	})
}
