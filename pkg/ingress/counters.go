package ingress

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/payment"
)

// The names of the meter, its counters and their attributes.
const (
	MeterName = "payonce/ingress"

	// CounterWebhooks counts webhooks by AttributeProvider, AttributeOutcome and AttributeRefusal.
	CounterWebhooks = "payonce.webhooks"
	// CounterCommandsAccepted counts commands answered with 202, by AttributeProvider,
	// AttributeOperation and AttributeDuplicate.
	CounterCommandsAccepted = "payonce.commands.accepted"
	// CounterCommandsRefused counts commands answered with a problem, by AttributeOperation and
	// AttributeProblem.
	CounterCommandsRefused = "payonce.commands.refused"
	// CounterRequestsLimited counts requests under /v1 that were not worked on, because their key had sent
	// too many, too many bytes, or too many were under way, by AttributeKey and AttributeProblem.
	CounterRequestsLimited = "payonce.requests.limited"

	// CounterConnectionsClosed counts connections that were closed because there were too many, by AttributeReason.
	CounterConnectionsClosed = "payonce.connections.closed"

	// CounterRefusedKept counts refused webhooks of which something could be learned, by AttributeProvider and
	// AttributeOutcome: KeptStored, KeptTooMany or KeptFailed.
	CounterRefusedKept = "payonce.webhooks.refused_kept"

	AttributeProvider  = "provider" // a configured provider, or events.NoProvider
	AttributeOutcome   = "outcome"  // OutcomeAccepted or OutcomeRefused
	AttributeRefusal   = "refusal"  // a connectors.WebhookRefusal or one of the Refused… constants; empty when accepted
	AttributeOperation = "operation"
	AttributeDuplicate = "duplicate"
	AttributeProblem   = "problem" // the last part of the problem's type
	AttributeKey       = "key"     // the name of an API key
	AttributeReason    = "reason"  // ClosedAddress or ClosedIdle

	OutcomeAccepted = "accepted"
	OutcomeRefused  = "refused"

	KeptStored  = "stored"   // it can be looked at
	KeptTooMany = "too_many" // others of its provider and address were kept shortly before
	KeptFailed  = "failed"   // it could not be stored
)

type counters struct{ webhooks, accepted, refused, limited, kept metric.Int64Counter }

// newCounters makes the counters with the global meter provider, which does nothing until the program
// sets one.
func newCounters() (counters, error) {
	meter := otel.Meter(MeterName)
	webhooks, err1 := meter.Int64Counter(CounterWebhooks, metric.WithDescription("Webhooks received from payment providers"))
	accepted, err2 := meter.Int64Counter(CounterCommandsAccepted, metric.WithDescription("Commands accepted over HTTP, duplicates included"))
	refused, err3 := meter.Int64Counter(CounterCommandsRefused, metric.WithDescription("Commands refused over HTTP"))
	limited, err4 := meter.Int64Counter(CounterRequestsLimited, metric.WithDescription("Requests of an API key refused by its limits: rate, bytes or requests in progress"))
	kept, err5 := meter.Int64Counter(CounterRefusedKept, metric.WithDescription("Refused webhooks that were stored for inspection, or left out"))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return counters{}, fmt.Errorf("make the counters: %w", err)
	}
	return counters{webhooks, accepted, refused, limited, kept}, nil
}

func (c counters) webhook(ctx context.Context, provider, outcome, refusal string) {
	if !c.webhooks.Enabled(ctx) { // no reader: attributes would be made in vain
		return
	}
	c.webhooks.Add(ctx, 1, metric.WithAttributes(
		attribute.String(AttributeProvider, provider), attribute.String(AttributeOutcome, outcome),
		attribute.String(AttributeRefusal, refusal)))
}

func (c counters) commandAccepted(ctx context.Context, p payment.Payment, duplicate bool) {
	if !c.accepted.Enabled(ctx) {
		return
	}
	c.accepted.Add(ctx, 1, metric.WithAttributes(
		attribute.String(AttributeProvider, p.Provider), attribute.String(AttributeOperation, string(p.Operation)),
		attribute.Bool(AttributeDuplicate, duplicate)))
}

func (c counters) commandRefused(ctx context.Context, op payment.Operation, problem string) {
	if !c.refused.Enabled(ctx) {
		return
	}
	c.refused.Add(ctx, 1, metric.WithAttributes(
		attribute.String(AttributeOperation, string(op)), attribute.String(AttributeProblem, problem)))
}

func (c counters) limit(ctx context.Context, key, problem string) {
	if c.limited.Enabled(ctx) {
		c.limited.Add(ctx, 1, metric.WithAttributes(attribute.String(AttributeKey, key), attribute.String(AttributeProblem, problem)))
	}
}

func (c counters) keptRefused(provider, outcome string) {
	if ctx := context.Background(); c.kept.Enabled(ctx) {
		c.kept.Add(ctx, 1, metric.WithAttributes(attribute.String(AttributeProvider, provider), attribute.String(AttributeOutcome, outcome)))
	}
}
