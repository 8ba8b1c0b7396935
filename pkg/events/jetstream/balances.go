package jetstream

import (
	"context"
	"errors"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// LastBalance returns the last balance report of a provider and its sequence; the zero report and 0 if there is none.
func (c *Conn) LastBalance(ctx context.Context, provider string) (last events.BalanceReport, seq uint64, err error) {
	err = c.broker.Ask(ctx, func(ctx context.Context) error {
		stream, err := c.broker.Stream(ctx, events.StreamBalances)
		if err != nil {
			return err
		}
		raw, err := stream.GetLastMsgForSubject(ctx, events.BalanceSubject(provider))
		if errors.Is(err, njs.ErrMsgNotFound) {
			return nil
		}
		if err == nil {
			seq = raw.Sequence
			last, err = events.DecodeBalance(raw.Data)
		}
		return err
	})
	if err != nil {
		return events.BalanceReport{}, 0, fmt.Errorf("balance of %s: %w", provider, err)
	}
	return last, seq, nil
}

// AppendBalance stores a balance report if the last stored one still has the sequence after. Of several workers that asked the provider at
// the same time one succeeds, and the others get [events.ErrStale]. It is not retried, because a lost balance is requested again. A
// failure says nothing about other streams and does not turn readiness off.
func (c *Conn) AppendBalance(ctx context.Context, r events.BalanceReport, after uint64) error {
	id, err := broker.NewID()
	if err != nil {
		return err
	}
	out, err := events.EncodeBalance(r, id)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.PublishTimeout)
	defer cancel()
	_, err = c.broker.JS.PublishMsg(ctx, broker.NewMessage(ctx, out, id), njs.WithRetryAttempts(0), njs.WithExpectLastSequencePerSubject(after))
	switch broker.ReplyOf(err) {
	case broker.Acked:
		return nil
	case broker.WrongSequence, broker.Contended:
		return events.ErrStale
	}
	return fmt.Errorf("publish to %s: %w", events.StreamBalances, err)
}
