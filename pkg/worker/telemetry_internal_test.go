package worker

import (
	"context"
	"strconv"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/alloctest"
)

// Where metrics have no reader, counting a payment allocates nothing: OpenTelemetry would make the attributes
// of a measurement all the same.
func TestCountingCostsNothingWhereNobodyMeasures(t *testing.T) {
	i, err := newInstruments(otel.Meter("payonce/worker"), connectors.NewRegistry(nil))
	if err != nil {
		t.Fatal(err)
	}
	ctx, failed := context.Background(), error(&connectors.Error{Class: connectors.Rejected})
	j := &job{ref: payment.Ref{Provider: "acme-kr", Order: "o-1"}}
	p := payment.Payment{Ref: j.ref, Operation: payment.Deposit, Status: payment.Settled}
	alloctest.None(t, func() {
		i.called(ctx, j, "submit", time.Second, failed)
		i.again(ctx, j)
		i.processed(ctx, j.ref.Provider, payment.Paid, nil)
		i.webhookDeadLettered(ctx, j.ref.Provider, events.DeadBadWebhook)
		i.stillOpen(ctx, p, time.Hour)
		i.moved(ctx, payment.Pending, p, "", true)
		i.claimsHeld.Add(ctx, 1)
		i.claimsDown.Add(ctx, 1)
	})
}

// TestLabelsAreKeptAndBounded: what is known is not made again, labels are not mixed up, and a stream of
// made-up providers does not fill the memory.
func TestLabelsAreKeptAndBounded(t *testing.T) {
	var c labelCache
	made := 0
	of := func(name string) string {
		option := c.of(labels{name, "x"}, func() metric.MeasurementOption {
			made++
			return metric.WithAttributes(attribute.String("provider", name))
		})
		set := metric.NewAddConfig([]metric.AddOption{option}).Attributes()
		value, _ := set.Value("provider")
		return value.AsString()
	}
	for range 2 {
		for i := range maxLabels + 10 {
			if name := strconv.Itoa(i); of(name) != name {
				t.Fatalf("the attributes of %s are those of %s", name, of(name))
			}
		}
	}
	if want := maxLabels + 2*10; made != want {
		t.Errorf("%d were made, want %d: each once, and those beyond the bound each time", made, want)
	}
	if n := c.size.Load(); n != maxLabels {
		t.Errorf("%d are kept, want %d", n, maxLabels)
	}
}
