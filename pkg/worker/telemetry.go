package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// The names of the engine's metrics.
const (
	MetricTransitions  = "payonce.payments.transitions"   // events written, by provider, operation, status, reason
	MetricCalls        = "payonce.provider.call"          // seconds, by provider, call, class
	MetricWebhooks     = "payonce.webhooks.processed"     // webhooks worked, by provider, kind, result
	MetricWebhooksDead = "payonce.webhooks.dead_lettered" // webhooks that became dead letters, by provider, reason
	MetricClaimsDown   = "payonce.claims.unavailable"     // commands that went on, or waited, without the claim store
	MetricOverdue      = "payonce.payments.overdue"       // payments of which a person should know, by provider, operation, status
	// MetricOpenAge is how long payments were open, in seconds since they were sent, that a look-up did not
	// end, by provider, operation, status. Its maximum is the oldest payment in doubt.
	MetricOpenAge = "payonce.payments.open_age"
	// MetricTimeToOutcome is the time from a payment's requested_at to its first outcome in seconds, by provider,
	// operation, status.
	MetricTimeToOutcome = "payonce.payments.time_to_outcome"
	// MetricOpenTimeToOutcome is the part of that time in which the provider was open, so that a weekend makes no
	// payment slow.
	MetricOpenTimeToOutcome = "payonce.payments.open_time_to_outcome"
	// MetricTriedAgain counts requests that were made again within one attempt, because it was proven that the
	// one before was not sent, by provider.
	MetricTriedAgain = "payonce.provider.tried_again"
	MetricClaimsHeld = "payonce.claims.held" // orders that this worker holds now
)

type instruments struct {
	transitions, webhooks, webhooksDead, claimsDown, overdue metric.Int64Counter
	triedAgain                                               metric.Int64Counter
	claimsHeld                                               metric.Int64UpDownCounter
	calls, openAge, timeToOutcome, openTimeToOutcome         metric.Float64Histogram

	callLabels, transitionLabels labelCache
	registry                     *connectors.Registry
}

func newInstruments(meter metric.Meter, registry *connectors.Registry) (*instruments, error) {
	i := instruments{registry: registry}
	var errs [11]error
	i.transitions, errs[0] = meter.Int64Counter(MetricTransitions)
	i.webhooks, errs[1] = meter.Int64Counter(MetricWebhooks)
	i.webhooksDead, errs[6] = meter.Int64Counter(MetricWebhooksDead)
	i.claimsDown, errs[2] = meter.Int64Counter(MetricClaimsDown)
	i.calls, errs[3] = meter.Float64Histogram(MetricCalls, metric.WithUnit("s"))
	i.overdue, errs[4] = meter.Int64Counter(MetricOverdue)
	i.openAge, errs[5] = meter.Float64Histogram(MetricOpenAge, metric.WithUnit("s"),
		metric.WithExplicitBucketBoundaries(60, 600, 3600, 6*3600, 24*3600, 48*3600, 96*3600, 7*24*3600, 30*24*3600))
	toOutcome := metric.WithExplicitBucketBoundaries(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 6*3600, 24*3600, 48*3600, 7*24*3600)
	i.timeToOutcome, errs[7] = meter.Float64Histogram(MetricTimeToOutcome, metric.WithUnit("s"), toOutcome)
	i.openTimeToOutcome, errs[10] = meter.Float64Histogram(MetricOpenTimeToOutcome, metric.WithUnit("s"), toOutcome)
	i.triedAgain, errs[8] = meter.Int64Counter(MetricTriedAgain)
	i.claimsHeld, errs[9] = meter.Int64UpDownCounter(MetricClaimsHeld)
	err := errors.Join(errs[:]...)
	if err == nil {
		i.begin(context.Background())
	}
	return &i, err
}

// labels are the values of a measurement's attributes, in the order of their names.
type labels [4]string

// labelCache keeps the attributes of measurements that are made for every payment: to sort and hash them
// again took a twentieth of a worker's time. The zero value is empty. It is safe for concurrent use.
type labelCache struct {
	known sync.Map // labels → metric.MeasurementOption
	size  atomic.Int64
}

// maxLabels bounds the cache, whatever becomes a label one day.
const maxLabels = 1000

// of returns the attributes of the labels, which are made where they are not known.
func (c *labelCache) of(l labels, make func() metric.MeasurementOption) metric.MeasurementOption {
	if known, ok := c.known.Load(l); ok {
		return known.(metric.MeasurementOption)
	}
	option := make()
	if c.size.Load() < maxLabels {
		if _, known := c.known.LoadOrStore(l, option); !known {
			c.size.Add(1)
		}
	}
	return option
}

// begin makes the series of what needs a person. An alert on an increase does not see a series that begins at 1.
func (i *instruments) begin(ctx context.Context) {
	if !i.transitions.Enabled(ctx) {
		return
	}
	for _, provider := range i.registry.Names() {
		for _, op := range payment.Operations() {
			for _, status := range []payment.Status{payment.Pending, payment.InDoubt} {
				p := payment.Payment{Ref: payment.Ref{Provider: provider}, Operation: op, Status: status}
				i.overdue.Add(ctx, 0, i.about(p))
				for _, reason := range alarming {
					i.transitions.Add(ctx, 0, i.transition(p, reason))
				}
			}
		}
	}
}

// called counts one call of a provider.
func (i *instruments) called(ctx context.Context, j *job, call string, took time.Duration, err error) {
	if !i.calls.Enabled(ctx) { // no reader: attributes would be made in vain
		return
	}
	class := "ok"
	if err != nil {
		class = connectors.ClassOf(err).String()
	}
	i.calls.Record(ctx, took.Seconds(), i.callLabels.of(labels{j.ref.Provider, call, class}, func() metric.MeasurementOption {
		return metric.WithAttributes(
			attribute.String("provider", j.ref.Provider), attribute.String("call", call), attribute.String("class", class))
	}))
}

// again counts one more request of the same attempt.
func (i *instruments) again(ctx context.Context, j *job) {
	if i.triedAgain.Enabled(ctx) {
		i.triedAgain.Add(ctx, 1, metric.WithAttributes(attribute.String("provider", j.ref.Provider)))
	}
}

// webhookDeadLettered counts one webhook that becomes a dead letter.
func (i *instruments) webhookDeadLettered(ctx context.Context, provider string, reason events.DeadReason) {
	if i.webhooksDead.Enabled(ctx) {
		i.webhooksDead.Add(ctx, 1, metric.WithAttributes(attribute.String("provider", i.named(provider)), attribute.String("reason", string(reason))))
	}
}

// processed counts one webhook.
func (i *instruments) processed(ctx context.Context, provider string, kind payment.Kind, err error) {
	if !i.webhooks.Enabled(ctx) {
		return
	}
	result := "done"
	if err != nil {
		result = "retry"
	}
	i.webhooks.Add(ctx, 1, metric.WithAttributes(
		attribute.String("provider", provider), attribute.String("kind", string(kind)), attribute.String("result", result)))
}

// stillOpen counts one payment that a look-up did not end.
func (i *instruments) stillOpen(ctx context.Context, p payment.Payment, age time.Duration) {
	if i.openAge.Enabled(ctx) {
		i.openAge.Record(ctx, age.Seconds(), i.about(p))
	}
}

// named returns the name of a configured provider. What else an upstream writes there is its own invention,
// and each would be a series of its own.
func (i *instruments) named(provider string) string {
	if _, known := i.registry.Get(provider); known {
		return provider
	}
	return events.NoProvider
}

func (i *instruments) about(p payment.Payment) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("provider", i.named(p.Provider)), attribute.String("operation", string(p.Operation)),
		attribute.String("status", string(p.Status)))
}

// alarming are the reasons of payments that need a person.
var alarming = []string{
	payment.ReasonAmountMismatch, payment.ReasonSecondReference, payment.ReasonPartlyReversed, payment.ReasonUnexplained, payment.ReasonSubmitLimit,
	payment.ReasonNoInstructions,
}

// moved counts an event that was written.
func (i *instruments) moved(ctx context.Context, from payment.Status, p payment.Payment, reason string, overdue bool) {
	if !i.transitions.Enabled(ctx) {
		return
	}
	i.transitions.Add(ctx, 1, i.transition(p, reason))
	if p.Status.Ended() && !from.Ended() {
		i.timeToOutcome.Record(ctx, p.UpdatedAt.Sub(p.RequestedAt).Seconds(), i.about(p))
	}
	if overdue {
		i.overdue.Add(ctx, 1, i.about(p))
	}
}

func (i *instruments) transition(p payment.Payment, reason string) metric.MeasurementOption {
	provider := i.named(p.Provider)
	return i.transitionLabels.of(labels{provider, string(p.Operation), string(p.Status), reason}, func() metric.MeasurementOption {
		return metric.WithAttributes(
			attribute.String("provider", provider), attribute.String("operation", string(p.Operation)),
			attribute.String("status", string(p.Status)), attribute.String("reason", reason))
	})
}

// announce counts and logs an event that was written. What needs a person is logged as an error, and an intent
// at debug level.
func (w *Worker) announce(ctx context.Context, from payment.Status, p payment.Payment) {
	reason := ""
	if p.Reason != nil {
		reason = p.Reason.Code
	}
	overdue := !p.OverdueAt.IsZero() && p.OverdueAt.Equal(p.UpdatedAt) // this event, and no later one, says so
	w.metrics.moved(ctx, from, p, reason, overdue)
	if p.Status.Ended() && !from.Ended() && w.metrics.openTimeToOutcome.Enabled(ctx) {
		open := w.Opening(p.Provider, p.Operation).Hours.OpenDuration(p.RequestedAt, p.UpdatedAt)
		w.metrics.openTimeToOutcome.Record(ctx, open.Seconds(), w.metrics.about(p))
	}
	level := slog.LevelInfo
	switch {
	case p.Status == payment.Conflict || slices.Contains(alarming, reason) || overdue:
		level = slog.LevelError
	case p.Status == payment.Submitting: // what came of it follows, and the log of payments has both
		level = slog.LevelDebug
	}
	line := []slog.Attr{slog.String("provider", p.Provider), slog.String("order", p.Order),
		slog.String("operation", string(p.Operation)), slog.String("from", string(from)), slog.String("status", string(p.Status)),
		slog.String("reason", reason), slog.Int("revision", p.Revision), slog.Int("attempts", p.Attempts), slog.Bool("overdue", overdue)}
	if level == slog.LevelError {
		line = append(line, slog.String("next", operator.Next(p)))
	}
	w.Logger.LogAttrs(ctx, level, "payment", line...)
}
