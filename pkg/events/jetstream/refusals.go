package jetstream

import (
	"context"
	"errors"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Refusal returns the last refusal of a command of an order that was published for an upstream or for none, or
// [events.ErrNoRefusal].
func (c *Conn) Refusal(ctx context.Context, upstream string, ref payment.Ref) (last events.Refusal, err error) {
	found := false
	for _, of := range []string{upstream, ""} {
		one, err := c.refusal(ctx, events.RefusalOf(of, ref))
		if err != nil {
			return events.Refusal{}, fmt.Errorf("refusal of %s: %w", ref, err)
		}
		if one != nil && (!found || one.RefusedAt.After(last.RefusedAt)) {
			last, found = *one, true
		}
		if upstream == "" {
			break
		}
	}
	if !found {
		return events.Refusal{}, events.ErrNoRefusal
	}
	return last, nil
}

func (c *Conn) refusal(ctx context.Context, subject string) (found *events.Refusal, err error) {
	err = c.broker.Ask(ctx, func(ctx context.Context) error {
		stream, err := c.broker.Stream(ctx, events.StreamRefusals)
		if err != nil {
			return err
		}
		raw, err := stream.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, njs.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		refusal, err := events.DecodeRefusal(raw.Data)
		found = &refusal
		return err
	})
	return found, err
}
