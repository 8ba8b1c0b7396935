package jetstream_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/nats-io/nats.go"

	"payonce/internal/natstest"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// reported is a connection that reports its levels.
type reported struct {
	*jetstream.Conn
	t      *testing.T
	url    string
	reader *sdk.ManualReader
}

func reporting(t *testing.T) *reported {
	t.Helper()
	t.Parallel()
	server := natstest.Start(t)
	connect(t, server.URL(), testConfig())
	return reportingAt(t, server.URL())
}

// reportingAt is one more process that reports.
func reportingAt(t *testing.T, url string) *reported {
	t.Helper()
	cfg := testConfig()
	cfg.LevelsEvery = 50 * time.Millisecond
	r := &reported{t: t, url: url, reader: sdk.NewManualReader()}
	o := options(t, url, cfg)
	o.Meters = sdk.NewMeterProvider(sdk.WithReader(r.reader))
	var err error
	if r.Conn, err = jetstream.Connect(testContext(t), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- r.ReportLevels(ctx, []string{"acme"}) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, done, "the end of ReportLevels"); err != nil {
			t.Error(err)
		}
	})
	return r
}

// levels returns all gauges now, by name and attributes.
func (r *reported) levels() map[string]float64 {
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

const (
	ofCommands = "{provider=acme stream=COMMANDS}"
	ofAcme     = "{provider=acme}"
	ofDoubt    = "{provider=acme status=in_doubt}"
	ofConflict = "{provider=acme status=conflict}"
)

// until waits for levels; 0 is there and is nothing, -1 is anything above 0.
func (r *reported) until(want map[string]float64) {
	r.t.Helper()
	var got map[string]float64
	defer func() {
		if r.t.Failed() {
			r.t.Logf("the levels are %v, want %v", got, want)
		}
	}()
	eventually(r.t, "the levels", func() bool {
		got = r.levels()
		for name, n := range want {
			if is, there := got[name]; !there || is != n && (n != -1 || is <= 0) {
				return false
			}
		}
		return true
	})
}

// Parked commands and those in work are not ready; what waits is, from its first day on.
func TestLevelsOfTheQueue(t *testing.T) {
	r := reporting(t)
	publish(t, r.Conn, ref("o-1"))
	publish(t, r.Conn, ref("o-2"))
	r.until(map[string]float64{ // no worker has made the consumer yet
		jetstream.MetricReadyMessages + ofCommands: 2, jetstream.MetricOldestReady + ofCommands: -1,
		jetstream.MetricUnacknowledged + ofCommands: 0, jetstream.MetricOldestUnfinished + ofCommands: -1,
		jetstream.MetricParkedNow + ofAcme: 0,
	})
	release := make(chan struct{})
	stop := consuming(t, r.Conn, 1, func(_ context.Context, m events.Message) queue.Verdict {
		if ref, _ := events.SubjectRef(m.Subject); ref.Order == "o-1" {
			return queue.ParkUntil(time.Now().Add(time.Hour))
		}
		<-release
		return queue.DeadLetter(events.DeadInvalid, "a test")
	})
	r.until(map[string]float64{
		jetstream.MetricReadyMessages + ofCommands: 0, jetstream.MetricOldestReady + ofCommands: 0,
		jetstream.MetricUnacknowledged + ofCommands: 1, jetstream.MetricOldestUnfinished + ofCommands: -1,
		jetstream.MetricParkedNow + ofAcme: 1, jetstream.MetricInFlight + "{}": 1,
	})
	close(release)
	nc, err := nats.Connect(r.url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, invented := range []string{"invented-1", "invented-2"} { // no series for each
		if _, err := nc.Request(events.DeadLetterSubject(events.StreamCommands, invented), nil, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	r.until(map[string]float64{
		jetstream.MetricDeadLettersNow + "{provider=unknown stream=COMMANDS}": 2,
		jetstream.MetricReadyMessages + ofCommands:                            0, jetstream.MetricUnacknowledged + ofCommands: 0,
		jetstream.MetricOldestUnfinished + ofCommands: 0, jetstream.MetricDeadLettersNow + ofCommands: 1,
		jetstream.MetricParkedNow + ofAcme: 1, jetstream.MetricLevelsAge + "{}": -1,
		jetstream.MetricStreamFill + "{stream=DEADLETTERS}": -1,
	})
	stop()
}

// Payments that stood in doubt before and that come to stand so later are counted, until they leave.
func TestLevelsOfPaymentsThatNeedSomebody(t *testing.T) {
	r := reporting(t)
	r.until(map[string]float64{jetstream.MetricOpen + ofDoubt: 0, jetstream.MetricOpen + ofConflict: 0})
	sent := time.Now().Add(-time.Hour).UTC()
	put := func(order string, status payment.Status, after uint64) uint64 {
		p := paymentOf(ref(order), status)
		p.SubmittedAt = sent
		seq, err := r.Append(testContext(t), p, after)
		if err != nil {
			t.Fatal(err)
		}
		return seq
	}
	one := put("o-1", payment.InDoubt, put("o-1", payment.Submitting, 0))
	put("o-2", payment.Conflict, 0)
	want := map[string]float64{jetstream.MetricOpen + ofDoubt: 1, jetstream.MetricOpen + ofConflict: 1}
	r.until(want)
	if age := r.levels()[jetstream.MetricOpenOldest+ofDoubt]; age < 3600 || age > 4000 {
		t.Errorf("the oldest in doubt was sent %v s ago, want an hour", age)
	}
	again := reportingAt(t, r.url)
	again.until(want)
	for _, reader := range []*reported{r, again} {
		if reader == r {
			put("o-1", payment.Settled, one)
		}
		reader.until(map[string]float64{jetstream.MetricOpen + ofDoubt: 0, jetstream.MetricOpenOldest + ofDoubt: 0, jetstream.MetricOpen + ofConflict: 1})
	}
}
