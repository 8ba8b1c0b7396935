package console

import (
	"context"

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

// Provider is what the configuration says of a provider.
type Provider struct {
	status.ProviderConfig
	Settings string // the part of the configuration, in which secrets are masked
}
