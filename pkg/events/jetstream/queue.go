package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// PublishCommand puts a command on its long subject into the queue. A nil error means that the broker
// keeps it. It returns [events.ErrQueued] when a command of the same order waits there already or is in
// work; a parked one and a clarification do not count. After any other error the command may be queued or not: publish it
// again.
func (c *Conn) PublishCommand(ctx context.Context, out events.Outgoing) error {
	id, err := broker.NewID()
	if err != nil {
		return fmt.Errorf("publish command: %w", err)
	}
	return c.RepublishCommand(ctx, out, id)
}

// RepublishCommand is PublishCommand under an id: published again with the same id within two minutes, a command is kept once.
func (c *Conn) RepublishCommand(ctx context.Context, out events.Outgoing, id string) (err error) {
	ref, ok := events.SubjectRef(out.Subject)
	if _, command := events.SubjectOperation(out.Subject); !ok || !command {
		return fmt.Errorf("publish command: %q is not the long subject of a command", out.Subject)
	}
	ctx, span := c.startSend(ctx, events.StreamCommands, out.Subject, id)
	defer func() { finish(span, err) }()
	msg := broker.NewMessage(ctx, out, id)
	if c.broker.Apart {
		if err := c.publishApart(ctx, msg, ref); err != nil {
			return fmt.Errorf("publish command %s: %w", ref, err)
		}
		return nil
	}
	msg.Header.Set(njs.ExpectedLastSubjSeqSubjHeader, events.CommandFilter(ref))
	after := uint64(0)
	for wait := broker.NewBackoff(); ; {
		msg.Header.Set(njs.ExpectedLastSubjSeqHeader, strconv.FormatUint(after, 10))
		err := c.broker.Publish(ctx, msg)
		if errors.Is(err, broker.ErrTaken) {
			after, err = c.whoIsQueued(ctx, ref, id)
		}
		if errors.Is(err, events.ErrNotQueued) && c.broker.Again(ctx, wait) {
			continue // what was in the way is gone, or is no command; if it was this command, its id says so
		}
		if err != nil {
			return fmt.Errorf("publish command %s: %w", ref, err)
		}
		return nil
	}
}

// whoIsQueued returns nil when the queued command is the one with this message id, because its
// acknowledgement was lost, [events.ErrQueued] when it is another, and [events.ErrNotQueued] when there
// is none; a command may then be published after the sequence, which is that of a clarification or 0.
func (c *Conn) whoIsQueued(ctx context.Context, ref payment.Ref, id string) (after uint64, err error) {
	queued, after, err := c.queued(ctx, ref)
	if err == nil && queued.Header.Get(broker.HeaderMessageID) != id {
		return 0, events.ErrQueued
	}
	return after, err
}

// queued returns the queued command of an order. With [events.ErrNotQueued] it returns the sequence of
// the order's last message in the queue, which is then a clarification; 0 for none.
//
// A clarification matches the filter of commands, and a command can be before it. The clarification is
// read first: whatever comes after it moves the last sequence.
func (c *Conn) queued(ctx context.Context, ref payment.Ref) (m events.Message, last uint64, err error) {
	m, err = c.broker.LastCommand(ctx, events.CommandFilter(ref))
	if err != nil || !events.IsClarification(m.Subject) {
		return m, 0, err
	}
	last = m.Sequence
	for _, op := range payment.Operations() {
		if m, err = c.broker.LastCommand(ctx, events.CommandSubject(op, ref)); !errors.Is(err, events.ErrNotQueued) {
			return m, 0, err
		}
	}
	return events.Message{}, last, events.ErrNotQueued
}

// PublishClarification puts a clarification on its subject into the queue. Published again with the same
// id within two minutes, it is kept once. It returns [events.ErrQueued] when another clarification of the
// order waits there already or is in work; commands do not count. After any other error the
// clarification may be queued or not: publish it again with the same id.
func (c *Conn) PublishClarification(ctx context.Context, out events.Outgoing, id string) (err error) {
	ref, ok := events.SubjectRef(out.Subject)
	if !ok || !events.IsClarification(out.Subject) || id == "" {
		return fmt.Errorf("publish clarification: %q is not the subject of a clarification, or it has no id", out.Subject)
	}
	ctx, span := c.startSend(ctx, events.StreamCommands, out.Subject, id)
	defer func() { finish(span, err) }()
	msg := broker.NewMessage(ctx, out, id)
	if c.broker.Apart { // a worker compares it with what it knows of the payment
		if err := c.broker.Publish(ctx, msg); err != nil {
			return fmt.Errorf("publish clarification of %s: %w", ref, err)
		}
		return nil
	}
	msg.Header.Set(njs.ExpectedLastSubjSeqHeader, "0")
	for wait := broker.NewBackoff(); ; {
		err := c.broker.Publish(ctx, msg)
		if errors.Is(err, broker.ErrTaken) {
			var queued events.Message
			queued, err = c.broker.LastCommand(ctx, out.Subject)
			if err == nil && queued.Header.Get(broker.HeaderMessageID) != id {
				err = events.ErrQueued
			}
		}
		if errors.Is(err, events.ErrNotQueued) && c.broker.Again(ctx, wait) {
			continue // what was in the way is gone
		}
		if err != nil {
			return fmt.Errorf("publish clarification of %s: %w", ref, err)
		}
		return nil
	}
}

// QueuedCommand returns the command of an order that waits in the queue, is in work, or is parked. The
// error is [events.ErrNotQueued] when there is none; a clarification is none. Message.Deliveries is not known here and 0.
func (c *Conn) QueuedCommand(ctx context.Context, ref payment.Ref) (events.Message, error) {
	if err := ref.Validate(); err != nil {
		return events.Message{}, fmt.Errorf("queued command: %w", err)
	}
	queued := func() (events.Message, error) {
		m, _, err := c.queued(ctx, ref)
		return m, err
	}
	parked := func() (events.Message, error) { return c.broker.LastCommand(ctx, events.ParkedSubject(ref)) }
	// A command moves between the two places; it is missed in at most one of three looks.
	err := events.ErrNotQueued
	for _, look := range []func() (events.Message, error){queued, parked, queued} {
		var m events.Message
		if m, err = look(); err == nil {
			return m, nil
		}
		if !errors.Is(err, events.ErrNotQueued) {
			break
		}
	}
	return events.Message{}, fmt.Errorf("queued command of %s: %w", ref, err)
}

// PublishWebhook keeps a verified webhook. id names it: published again within two minutes, it is kept
// once. A nil error means that the broker keeps it; after any other the webhook may be kept or not, and
// the provider must be asked to send it again.
func (c *Conn) PublishWebhook(ctx context.Context, out events.Outgoing, id string) error {
	if id == "" {
		return errors.New("publish webhook: an id is required")
	}
	ctx, span := c.startSend(ctx, events.StreamWebhooks, out.Subject, id)
	err := c.broker.Publish(ctx, broker.NewMessage(ctx, out, id))
	finish(span, err)
	if err != nil {
		return fmt.Errorf("publish webhook to %s: %w", out.Subject, err)
	}
	return nil
}

// PublishRefusedWebhook keeps a refused webhook. It tries once: it is better to lose one than to trouble a broker that is busy. What
// comes of it says nothing about other streams and does not turn readiness off.
func (c *Conn) PublishRefusedWebhook(ctx context.Context, webhook events.Outgoing) error {
	id, err := broker.NewID()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.PublishTimeout)
	defer cancel()
	if _, err := c.broker.JS.PublishMsg(ctx, broker.NewMessage(ctx, webhook, id), njs.WithRetryAttempts(0)); err != nil {
		return fmt.Errorf("publish to %s: %w", events.StreamRefusedWebhooks, err)
	}
	return nil
}
