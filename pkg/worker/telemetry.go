package worker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// The names of the engine's metrics.
const (
	MetricTransitions = "payonce.payments.transitions" // events written, by provider, operation, status, reason
	MetricCalls       = "payonce.provider.call"        // seconds, by provider, call, class
	MetricWebhooks    = "payonce.webhooks.taken_in"    // webhooks worked, by provider, kind, result
	MetricClaimsDown  = "payonce.claims.unavailable"   // commands that went on, or waited, without the claim store
)

type instruments struct {
	transitions, webhooks, claimsDown metric.Int64Counter
	calls                             metric.Float64Histogram
}

func newInstruments() (*instruments, error) {
	meter := otel.Meter("payonce/worker")
	var i instruments
	var errs [4]error
	i.transitions, errs[0] = meter.Int64Counter(MetricTransitions)
	i.webhooks, errs[1] = meter.Int64Counter(MetricWebhooks)
	i.claimsDown, errs[2] = meter.Int64Counter(MetricClaimsDown)
	i.calls, errs[3] = meter.Float64Histogram(MetricCalls, metric.WithUnit("s"))
	return &i, errors.Join(errs[:]...)
}

// called counts one call of a provider.
func (i *instruments) called(ctx context.Context, j *job, call string, took time.Duration, err error) {
	class := "ok"
	if err != nil {
		class = connectors.ClassOf(err).String()
	}
	i.calls.Record(ctx, took.Seconds(), metric.WithAttributes(
		attribute.String("provider", j.ref.Provider), attribute.String("call", call), attribute.String("class", class)))
}

// tookIn counts one webhook.
func (i *instruments) tookIn(ctx context.Context, provider string, kind payment.Kind, err error) {
	result := "done"
	if err != nil {
		result = "retry"
	}
	i.webhooks.Add(ctx, 1, metric.WithAttributes(
		attribute.String("provider", provider), attribute.String("kind", string(kind)), attribute.String("result", result)))
}

// announce counts and logs an event that was written. What needs a person is logged as an error.
func (w *Worker) announce(ctx context.Context, from payment.Status, p payment.Payment) {
	reason := ""
	if p.Reason != nil {
		reason = p.Reason.Code
	}
	w.metrics.transitions.Add(ctx, 1, metric.WithAttributes(
		attribute.String("provider", p.Provider), attribute.String("operation", string(p.Operation)),
		attribute.String("status", string(p.Status)), attribute.String("reason", reason)))
	level := slog.LevelInfo
	if p.Status == payment.Conflict || reason == payment.ReasonAmountMismatch {
		level = slog.LevelError
	}
	w.Logger.Log(ctx, level, "payment", "provider", p.Provider, "order", p.Order, "operation", string(p.Operation),
		"from", string(from), "status", string(p.Status), "reason", reason, "revision", p.Revision, "attempts", p.Attempts)
}
