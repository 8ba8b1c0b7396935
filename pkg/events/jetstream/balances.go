package jetstream

import (
	"context"
	"errors"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// LastBalance returns what a provider told last of the merchant's account, and its sequence; the zero report and 0 where nothing is
// kept.
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

// AppendBalance keeps what a provider told, if the last that is kept is still the one with sequence after: of workers that asked at the
// same time one is kept, and the others get [events.ErrStale]. It tries once, for a lost balance is asked for again. What
// comes of it says nothing about other streams and does not turn readiness off.
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
