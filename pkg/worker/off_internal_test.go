package worker

import (
	"context"
	"testing"
	"time"

	"payonce/internal/alloctest"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Where nobody is given metrics, counting a payment allocates nothing: OpenTelemetry would make the attributes
// of a measurement also for nobody.
func TestCountingCostsNothingWhereNobodyMeasures(t *testing.T) {
	i, err := newInstruments(connectors.NewRegistry(nil))
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
