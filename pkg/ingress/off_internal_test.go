package ingress

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric/noop"

	"payonce/pkg/payment"
	"payonce/test/alloctest"
)

func TestARequestCostsNothingMoreWhereNobodyLooks(t *testing.T) {
	measuring := otel.GetMeterProvider()
	otel.SetMeterProvider(noop.NewMeterProvider())
	c, err := newCounters()
	otel.SetMeterProvider(measuring)
	if err != nil {
		t.Fatal(err)
	}
	known := &request{route: "POST /v1/deposits"}
	r := httptest.NewRequest(http.MethodPost, "/v1/deposits", nil)
	r = r.WithContext(context.WithValue(r.Context(), requestKey{}, known))
	ctx, w := r.Context(), &probe{header: http.Header{}}
	p := payment.Payment{Ref: payment.Ref{Provider: "acme-kr", Order: "o-1"}, Operation: payment.Deposit}
	serve := func(_ http.ResponseWriter, served *http.Request) *problem {
		if served != r {
			t.Fatal("the request is copied for nobody")
		}
		return nil
	}
	alloctest.None(t, func() {
		traced(ctx, w, r, serve)
		c.webhook(ctx, "acme-kr", OutcomeRefused, RefusedOrder)
		c.commandAccepted(ctx, p, true)
		c.commandRefused(ctx, payment.Deposit, kindInvalid)
		c.limit(ctx, "shop", kindRate)
	})
}
