package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// storeActions keeps the content of what the customer must do in ACTIONS, for a limited time, and returns the payment
// with the ids. It comes before the event, so that no event names what is not there. What is stored for an append that
// another worker wins is named by no event and goes with its retention.
func (c *Conn) storeActions(ctx context.Context, p payment.Payment) (payment.Payment, error) {
	for _, action := range []**payment.Action{&p.Action, &p.WithheldAction} {
		if *action == nil || (*action).Stored != "" {
			continue
		}
		id, err := broker.NewID()
		if err != nil {
			return p, fmt.Errorf("store action of %s: %w", p.Ref, err)
		}
		out, err := events.EncodeAction(p.Ref, **action, id, p.UpdatedAt)
		if err == nil {
			err = c.storeAction(ctx, p.Ref, broker.NewMessage(ctx, out, id))
		}
		if err != nil {
			return p, fmt.Errorf("store action of %s: %w", p.Ref, err)
		}
		stored := **action
		stored.Stored = id
		*action = &stored
	}
	return p, nil
}

// storeAction stores one content, in a batch with those of other payments where that is quicker. Sent again under its id it is
// kept once.
func (c *Conn) storeAction(ctx context.Context, ref payment.Ref, msg *nats.Msg) error {
	if c.actionGroup != nil {
		if _, _, err := c.actionGroup.send(ctx, ref, msg); err == nil {
			return nil
		}
	}
	return c.broker.Publish(ctx, msg)
}

// Actions returns a payment with the content of what its customer must do, as far as it is kept. What was erased, or
// is older than its retention, stays without content, and is no error.
func (c *Conn) Actions(ctx context.Context, p payment.Payment) (payment.Payment, error) {
	for _, action := range []**payment.Action{&p.Action, &p.WithheldAction} {
		if !(*action).Missing() {
			continue
		}
		read, err := c.action(ctx, p.Ref, (*action).Stored)
		if errors.Is(err, events.ErrNoAction) {
			continue
		}
		if err != nil {
			return p, fmt.Errorf("action of %s: %w", p.Ref, err)
		}
		*action = read
	}
	return p, nil
}

func (c *Conn) action(ctx context.Context, ref payment.Ref, id string) (*payment.Action, error) {
	if err := ref.Validate(); err != nil || !events.ValidActionID(id) { // a wildcard here would read another's
		return nil, events.ErrNoAction
	}
	stream, err := c.broker.Stream(ctx, events.StreamActions)
	if err != nil {
		return nil, err
	}
	raw, err := stream.GetLastMsgForSubject(ctx, events.ActionSubject(ref, id))
	if errors.Is(err, njs.ErrMsgNotFound) {
		return nil, events.ErrNoAction
	}
	if err != nil {
		return nil, err
	}
	return events.DecodeAction(ref, id, raw.Data)
}

// WithActions reads the log for those who show payments to customers: each payment has the content of what the customer
// must do, as far as it is kept.
type WithActions struct{ *Conn }

// Last is [Conn.Last] with that content.
func (w WithActions) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	p, seq, err := w.Conn.Last(ctx, ref)
	if err != nil {
		return p, seq, err
	}
	p, err = w.Actions(ctx, p)
	return p, seq, err
}
