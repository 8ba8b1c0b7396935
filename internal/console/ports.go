package console

import (
	"context"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
	"payonce/pkg/status"
)

// Status says how everything stands.
type Status interface {
	Report(ctx context.Context) status.Report
}

// Search finds payments, newest first. The error is [search.ErrCursor] for a cursor that isn't one.
type Search interface {
	Find(ctx context.Context, f search.Filter, after string, limit int) (search.Page, error)
}

// History returns the events of a payment, oldest first. The error is [events.ErrNoPayment] when there are none.
type History interface {
	History(ctx context.Context, ref payment.Ref) ([]events.Record, error)
}

// Queue tells where the command of a payment is.
type Queue interface {
	// QueuedCommand returns the command that waits, is in work or is parked; else the error is [events.ErrNotQueued].
	QueuedCommand(ctx context.Context, ref payment.Ref) (events.Message, error)
	// ParkedCommand returns the parked command; the error is [events.ErrNotParked] when it isn't parked.
	ParkedCommand(ctx context.Context, ref payment.Ref) (events.Parked, error)
	// ParkedOrders lists the orders whose commands are parked, of one provider or of all.
	ParkedOrders(ctx context.Context, provider string) ([]payment.Ref, error)
}

// Records are what was given up and what people did.
type Records interface {
	DeadLetters(ctx context.Context, after uint64, max int) ([]events.DeadLetter, error)
	DeadLettersOf(ctx context.Context, ref payment.Ref) ([]events.DeadLetter, error)
	LatestAudits(ctx context.Context, before uint64, max int) ([]events.AuditEntry, error)
}

// Changes tells that payments changed: the channel receives after each change, or after several.
type Changes interface {
	Watch(ref payment.Ref) (changed <-chan struct{}, stop func())
}

// Last returns a payment as it stands.
type Last interface {
	Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error)
}

// Trends counts payments by time, in the archive.
type Trends interface {
	Trend(ctx context.Context, in search.Interval) (search.Trend, error)
	Wave(ctx context.Context, in search.Interval) (search.Wave, error)
}

// About is what else is kept of a payment.
type About interface {
	// WebhooksOf returns webhooks as they were received, which hold personal data.
	WebhooksOf(ctx context.Context, ref payment.Ref, max int) ([]events.Message, error)
	AuditsOf(ctx context.Context, ref payment.Ref, max int) ([]events.AuditEntry, error)
	// RefusalsOf returns what upstreams were told of refused commands.
	RefusalsOf(ctx context.Context, ref payment.Ref) ([]events.Refusal, error)
}

// Readers says who reads the log, and how far.
type Readers interface {
	Readers(ctx context.Context) ([]events.Reader, error)
}

// Provider is what the configuration and the provider's documents say of it.
type Provider struct {
	status.ProviderConfig
	Kind     string
	Settings string         // the part of the configuration, in which secrets are masked
	Zone     *time.Location // of the provider's clock; nil where that is not known
	// Currencies that it takes, and how long an order number may be.
	Currencies     []string
	MaxOrderLength int
	// BasicTime is after how long an outcome is usually there, Threshold the longest time until it is; 0 is not known.
	BasicTime, Threshold time.Duration
	OneReference         bool // that of [connectors.Traits]
	// Closed are extra closed days, each with its name where it has one, and ClosedKnownUntil the last day for which they are complete.
	Closed           []string
	ClosedKnownUntil string
	Ways             []Way
	Balance          Balance // nil where the provider tells none
}

// Way is one way of paying, and what a command needs that takes it, beside its order.
type Way struct {
	Operation payment.Operation
	Method    string // empty for an operation without methods
	Default   bool   // a command without a method takes it
	Currency  string
	Amount    string // which amounts it takes
	// Required and Optional are fields, as GET /v1/providers/{provider} names them; "a or b" is one of two.
	Required, Optional []string
	Note               string // what must hold beside
}

// Balance asks the provider what the merchant's account holds.
type Balance interface {
	Balance(ctx context.Context) ([]connectors.Balance, error)
}
