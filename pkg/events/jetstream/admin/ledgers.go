package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// LedgerState is how far a ledger has read the log.
type LedgerState struct {
	Ledger   string `json:"ledger"`
	Consumer string `json:"consumer"`
	// ReadUpTo is the sequence in PAYMENTS up to which it has acknowledged all outcomes. Unread outcomes come after it, InWork ones
	// were delivered and not acknowledged.
	ReadUpTo uint64 `json:"read_up_to"`
	Unread   uint64 `json:"unread"`
	InWork   int    `json:"in_work"`
	// Reading says that it asks for outcomes now, and ReadAt when it acknowledged one last.
	Reading bool      `json:"reading"`
	ReadAt  time.Time `json:"read_at,omitzero"`
}

// LedgerState reads how far a ledger of the configuration is, or [ErrNotCreated].
func (c *Conn) LedgerState(ctx context.Context, ledger string) (LedgerState, error) {
	s := LedgerState{Ledger: ledger, Consumer: LedgerConsumer(ledger)}
	info, err := c.consumerInfo(ctx, events.StreamPayments, s.Consumer)
	if errors.Is(err, njs.ErrConsumerNotFound) || errors.Is(err, njs.ErrStreamNotFound) {
		err = ErrNotCreated
	}
	if err != nil {
		return s, fmt.Errorf("ledger %s: %w", ledger, err)
	}
	s.ReadUpTo, s.Unread, s.InWork, s.Reading = info.AckFloor.Stream, info.NumPending, info.NumAckPending, info.NumWaiting > 0
	if info.AckFloor.Last != nil {
		s.ReadAt = info.AckFloor.Last.UTC()
	}
	return s, nil
}

// FirstSince returns the sequence of the first event of the log that was stored at a time or later; of the first one that will be,
// where there is none yet.
func (c *Conn) FirstSince(ctx context.Context, at time.Time) (uint64, error) {
	bounds, err := c.LogBounds(ctx)
	if err != nil {
		return 0, err
	}
	first := bounds.Sequence + 1
	err = c.ReadEvents(ctx, "payment.>", at, func(m events.Message) (bool, error) {
		first = m.Sequence
		return false, nil
	})
	if err != nil {
		return 0, fmt.Errorf("first event since %s: %w", at.UTC().Format(time.RFC3339), err)
	}
	return first, nil
}

// ErrCannotRewind says that this user may not rewind a consumer, or that the server is too old to do it.
var ErrCannotRewind = errors.New("the server does not rewind consumers for this user: take the administrator's key, on nats-server 2.14 or newer")

// RewindLedger has the consumer of a ledger deliver the log's outcomes again, from a sequence on. It keeps its name and its
// definition, and the ledger may run meanwhile: what was delivered to it before is delivered again.
func (c *Conn) RewindLedger(ctx context.Context, ledger string, from uint64) error {
	_, err := c.broker.JS.ResetConsumerToSequence(ctx, events.StreamPayments, LedgerConsumer(ledger), max(from, 1))
	if err == nil {
		return nil
	}
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w (%w)", ErrCannotRewind, c.broker.Denied(err))
	}
	return fmt.Errorf("rewind ledger %s: %w", ledger, err)
}
