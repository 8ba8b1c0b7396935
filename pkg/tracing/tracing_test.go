package tracing_test

import (
	"context"
	"errors"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/tracing"
	"payonce/test/alloctest"
)

// The tests of this package run in their order: a provider that was set once stays.

func TestACallCostsNothingWhereNobodyTraces(t *testing.T) {
	if tracing.On() {
		t.Fatal("nobody has set a provider")
	}
	ctx, err := t.Context(), error(&connectors.Error{Class: connectors.Rejected})
	ref := payment.Ref{Provider: "acme-kr", Order: "o-1"}
	alloctest.None(t, func() {
		within, span := tracing.StartCall(ctx, "submit", ref, 1)
		if within != ctx {
			t.Fatal("a context is made for nobody")
		}
		span.End(err)
	})
}

func TestACallHasASpan(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(sdk.NewTracerProvider(sdk.WithSyncer(spans)))
	if !tracing.On() {
		t.Fatal("a provider was set")
	}
	_, banks := tracing.StartCall(context.Background(), "banks", payment.Ref{Provider: "acme-kr"}, 0)
	banks.End(nil)
	_, lookup := tracing.StartCall(context.Background(), "lookup", payment.Ref{Provider: "acme-kr", Order: "o-1"}, 2)
	lookup.End(errors.New("the name 홍길동 and all the rest"))
	got := spans.GetSpans()
	if len(got) != 2 || got[0].Name != "provider banks" || len(got[0].Attributes) != 2 || got[0].Status.Code != codes.Unset {
		t.Errorf("spans: %+v", got)
	}
	if len(got) == 2 && (got[1].Name != "provider lookup" || len(got[1].Attributes) != 5 || got[1].Status.Description != "in_doubt") {
		t.Errorf("a failed look-up: %+v", got[1])
	}
}
