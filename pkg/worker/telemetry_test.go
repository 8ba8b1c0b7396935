package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/worker"
)

func TestMetrics(t *testing.T) {
	reader := sdk.NewManualReader()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(noop.NewMeterProvider()) })
	inBubble(t, func(d *testbed) {
		p := d.start()
		d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		d.provider.script("o-2", reply{err: errRefused})
		d.want(p.Command(context.Background(), d.message(d.order("o-2"))), queue.Done)
		d.provider.script("o-3", reply{execute: true, err: errTimedOut})
		d.want(p.Command(context.Background(), d.message(d.order("o-3"))), queue.Done)
		d.want(p.Webhook(context.Background(), d.webhook("o-1", paid())), queue.Done)
		p.ports.fault = func(_ int, name string) fault { return map[string]fault{"last": failBefore}[name] }
		d.want(p.Webhook(context.Background(), d.webhook("o-1", paid())), queue.Retry)
		forged := d.webhook("o-1", paid(), func(c *call, _ http.Header) { c.Order = "o-2" })
		d.want(p.Webhook(context.Background(), forged), queue.Dead, events.DeadBadWebhook)
		nobodys := d.order("o-6")
		nobodys.Provider = "nobody" // an invention of the upstream, and no series of its own
		d.want(p.Command(context.Background(), d.message(nobodys)), queue.Dead, events.DeadUnknownProvider)
		d.server.SetError("LOADING")
		d.want(p.Command(context.Background(), d.message(d.order("o-4"))), queue.Done)
		d.want(p.Command(context.Background(), d.message(d.order("o-5"))), queue.Done)
	})
	got := collect(t, reader)
	for want, n := range map[string]int64{
		worker.MetricTransitions + " operation=deposit provider=acme-kr reason= status=submitting":            5,
		worker.MetricTransitions + " operation=deposit provider=acme-kr reason= status=pending":               4,
		worker.MetricTransitions + " operation=deposit provider=acme-kr reason=declined status=failed":        1,
		worker.MetricTransitions + " operation=deposit provider=acme-kr reason=no_answer status=in_doubt":     1,
		worker.MetricTransitions + " operation=deposit provider=acme-kr reason= status=settled":               1,
		worker.MetricCalls + " call=submit class=ok provider=acme-kr":                                         3,
		worker.MetricCalls + " call=submit class=rejected provider=acme-kr":                                   1,
		worker.MetricCalls + " call=submit class=in_doubt provider=acme-kr":                                   1,
		worker.MetricCalls + " call=lookup class=ok provider=acme-kr":                                         1,
		worker.MetricWebhooks + " kind=paid provider=acme-kr result=done":                                     1,
		worker.MetricWebhooks + " kind=paid provider=acme-kr result=retry":                                    1,
		worker.MetricWebhooksDead + " provider=acme-kr reason=bad_webhook":                                    1,
		worker.MetricTransitions + " operation=deposit provider=unknown reason=invalid_command status=failed": 1,
		worker.MetricTimeToOutcome + " operation=deposit provider=unknown status=failed":                      1,
		worker.MetricClaimsDown: 2,
		worker.MetricClaimsHeld: 0, // all were given back
		worker.MetricTimeToOutcome + " operation=deposit provider=acme-kr status=failed":  1,
		worker.MetricTimeToOutcome + " operation=deposit provider=acme-kr status=settled": 1,

		worker.MetricOpenTimeToOutcome + " operation=deposit provider=unknown status=failed":  1,
		worker.MetricOpenTimeToOutcome + " operation=deposit provider=acme-kr status=failed":  1,
		worker.MetricOpenTimeToOutcome + " operation=deposit provider=acme-kr status=settled": 1,
	} {
		if got[want] != n {
			t.Errorf("%s: %d, want %d", want, got[want], n)
		}
		delete(got, want)
	}
	zero := worker.MetricTransitions + " operation=deposit provider=acme-kr reason=submit_limit status=in_doubt"
	if n, begun := got[zero]; !begun || n != 0 {
		t.Errorf("an alert on the increase of %s does not see the first one", zero)
	}
	maps.DeleteFunc(got, func(_ string, n int64) bool { return n == 0 })
	if len(got) > 0 {
		t.Errorf("also: %v", got)
	}
}

// collect returns the counts of all series, by name and attributes.
func collect(t *testing.T, reader *sdk.ManualReader) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, m := range all.ScopeMetrics[0].Metrics {
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, point := range data.DataPoints {
				got[series(m.Name, point.Attributes)] = point.Value
			}
		case metricdata.Histogram[float64]:
			for _, point := range data.DataPoints {
				got[series(m.Name, point.Attributes)] = int64(point.Count)
			}
		default:
			t.Errorf("%s is a %T", m.Name, data)
		}
	}
	return got
}

func series(name string, set attribute.Set) string {
	parts := []string{name}
	for _, a := range set.ToSlice() {
		parts = append(parts, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
	}
	slices.Sort(parts[1:])
	return strings.Join(parts, " ")
}

// What needs a person is logged as an error, and nothing else is.
func TestConflictsAndOtherAmountsAreLoggedAsErrors(t *testing.T) {
	for name, calls := range map[string][]payment.Observation{
		"conflict":     {paid(), {Kind: payment.Declined}},
		"other amount": {accepted("o-1"), {Kind: payment.Paid, Amount: payment.KRW(1)}},
	} {
		t.Run(name, func(t *testing.T) {
			after(t, func(d *testbed, take take) {
				d.want(take(calls[0]), queue.Done)
				if strings.Contains(d.logs.String(), "ERROR") {
					t.Errorf("an error without a reason: %s", d.logs)
				}
				d.want(take(calls[1]), queue.Done)
				if text := d.logs.String(); !strings.Contains(text, `"level":"ERROR"`) || !strings.Contains(text, `"next":"`) {
					t.Errorf("no error: %s", d.logs)
				}
			})
		})
	}
}

// An event makes one line, but for the intent, which would double them.
func TestIntentsAreLoggedAsDetails(t *testing.T) {
	for level, intents := range map[slog.Level]int{slog.LevelInfo: 0, slog.LevelDebug: 1} {
		inBubble(t, func(d *testbed) {
			var lines bytes.Buffer
			d.options.Logger = slog.New(slog.NewJSONHandler(&lines, &slog.HandlerOptions{Level: level}))
			p := d.start()
			d.want(p.Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
			for status, want := range map[payment.Status]int{payment.Submitting: intents, payment.Pending: 1} {
				if n := strings.Count(lines.String(), fmt.Sprintf(`"status":%q`, status)); n != want {
					t.Errorf("at %s: %d lines of %s, want %d:\n%s", level, n, status, want, &lines)
				}
			}
		})
	}
}
