package jetstream

import (
	"context"
	"errors"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// PublishCommand puts a command on its long subject into the queue. A nil error means that the broker
// keeps it. It returns [events.ErrQueued] when a command of the same order waits there already or is in
// work; a parked one does not count. After any other error the command may be queued or not: publish it
// again.
func (c *Conn) PublishCommand(ctx context.Context, out events.Outgoing) error {
	ref, ok := events.SubjectRef(out.Subject)
	if _, command := events.SubjectOperation(out.Subject); !ok || !command {
		return fmt.Errorf("publish command: %q is not the long subject of a command", out.Subject)
	}
	id, err := newID()
	if err != nil {
		return fmt.Errorf("publish command %s: %w", ref, err)
	}
	msg := newMessage(ctx, out, id)
	msg.Header.Set(njs.ExpectedLastSubjSeqHeader, "0")
	msg.Header.Set(njs.ExpectedLastSubjSeqSubjHeader, events.CommandFilter(ref))
	for wait := newBackoff(); ; {
		err = c.publish(ctx, msg)
		if errors.Is(err, errTaken) {
			err = c.whoIsQueued(ctx, ref, id)
		}
		if errors.Is(err, events.ErrNotQueued) && c.again(ctx, wait) {
			continue // what was in the way is gone; if that was this command, its id says so
		}
		if err != nil {
			return fmt.Errorf("publish command %s: %w", ref, err)
		}
		return nil
	}
}

// whoIsQueued returns nil when the queued command is the one with this message id, because its
// acknowledgement was lost, [events.ErrQueued] when it is another, and [events.ErrNotQueued] when there
// is none.
func (c *Conn) whoIsQueued(ctx context.Context, ref payment.Ref, id string) error {
	queued, err := c.lastCommand(ctx, events.CommandFilter(ref))
	if err == nil && queued.Header.Get(headerMessageID) != id {
		return events.ErrQueued
	}
	return err
}

// QueuedCommand returns the command of an order that waits in the queue, is in work, or is parked. The
// error is [events.ErrNotQueued] when there is none. Message.Deliveries is not known here and 0.
func (c *Conn) QueuedCommand(ctx context.Context, ref payment.Ref) (events.Message, error) {
	if err := ref.Validate(); err != nil {
		return events.Message{}, fmt.Errorf("queued command: %w", err)
	}
	// A command moves between the two places; it is missed in at most one of three looks.
	err := events.ErrNotQueued
	for _, filter := range []string{events.CommandFilter(ref), events.ParkedSubject(ref), events.CommandFilter(ref)} {
		var m events.Message
		if m, err = c.lastCommand(ctx, filter); err == nil {
			return m, nil
		}
		if !errors.Is(err, events.ErrNotQueued) {
			break
		}
	}
	return events.Message{}, fmt.Errorf("queued command of %s: %w", ref, err)
}

func (c *Conn) lastCommand(ctx context.Context, filter string) (events.Message, error) {
	stream, err := c.stream(ctx, events.StreamCommands)
	if err != nil {
		return events.Message{}, err
	}
	raw, err := stream.GetLastMsgForSubject(ctx, filter)
	if errors.Is(err, njs.ErrMsgNotFound) {
		return events.Message{}, events.ErrNotQueued
	}
	if err != nil {
		return events.Message{}, err
	}
	return rawMessage(raw), nil
}

func rawMessage(raw *njs.RawStreamMsg) events.Message {
	return events.Message{
		Subject: raw.Subject, Header: events.Header(raw.Header), Data: raw.Data,
		Sequence: raw.Sequence, StoredAt: raw.Time,
	}
}

// PublishWebhook keeps a verified webhook. id names it: published again within two minutes, it is kept
// once. A nil error means that the broker keeps it; after any other the webhook may be kept or not, and
// the provider must be asked to send it again.
func (c *Conn) PublishWebhook(ctx context.Context, out events.Outgoing, id string) error {
	if id == "" {
		return errors.New("publish webhook: an id is required")
	}
	if err := c.publish(ctx, newMessage(ctx, out, id)); err != nil {
		return fmt.Errorf("publish webhook to %s: %w", out.Subject, err)
	}
	return nil
}
