package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

const deadPrefix = "Payonce-Dead-"

// DeadLetter returns one dead letter, or [events.ErrNoDeadLetter].
func (c *Conn) DeadLetter(ctx context.Context, sequence uint64) (events.DeadLetter, error) {
	stream, err := c.broker.Stream(ctx, events.StreamDeadLetters)
	if err != nil {
		return events.DeadLetter{}, fmt.Errorf("dead letter %d: %w", sequence, err)
	}
	raw, err := stream.GetMsg(ctx, sequence)
	if errors.Is(err, njs.ErrMsgNotFound) {
		err = events.ErrNoDeadLetter
	}
	if err != nil {
		return events.DeadLetter{}, fmt.Errorf("dead letter %d: %w", sequence, err)
	}
	return deadLetterOf(raw), nil
}

// Replay sends a dead letter to the subject where it came from, and then deletes it. A command must pass
// the queue's guard as any other ([events.ErrQueued]), and whatever is sent the log decides about.
//
// The message has an id of its own, so that what is remembered of the first does not swallow it. The id is
// the same each time the same dead letter is replayed: when the dead letter could not be deleted, it is
// still there, and to replay it again within two minutes stores nothing; later, the log answers.
func (c *Conn) Replay(ctx context.Context, sequence uint64) error {
	deadLetter, err := c.DeadLetter(ctx, sequence)
	if err != nil {
		return fmt.Errorf("replay: %w", err)
	}
	if err := c.sendAgain(ctx, deadLetter); err != nil {
		return fmt.Errorf("replay dead letter %d: %w", sequence, err)
	}
	if err := c.DropDeadLetter(ctx, sequence); err != nil {
		return fmt.Errorf("replayed, but: %w", err)
	}
	return nil
}

// sendAgain publishes the message of a dead letter.
func (c *Conn) sendAgain(ctx context.Context, l events.DeadLetter) error {
	m := l.Message
	out := events.Outgoing{Subject: m.Subject, Header: events.Header{}, Data: m.Data}
	for name, values := range m.Header {
		if len(name) < len(deadPrefix) || !strings.EqualFold(name[:len(deadPrefix)], deadPrefix) {
			out.Header[name] = values
		}
	}
	out.Header.Set(events.HeaderReplayOf, fmt.Sprint(l.Sequence))
	id := fmt.Sprintf("replay-%d-%d", l.Sequence, l.StoredAt.UnixNano())
	_, named := events.SubjectRef(m.Subject)
	_, command := events.SubjectOperation(m.Subject)
	if l.Stream == events.StreamCommands && out.Header.Get(events.HeaderRequestedAt) == "" {
		// A command does not become younger by waiting here: the log may have forgotten its order.
		out.Header.Set(events.HeaderRequestedAt, l.StoredAt.Format(time.RFC3339Nano))
	}
	switch {
	case l.Truncated > 0:
		return events.ErrTruncated
	case l.Stream == events.StreamCommands && events.IsClarification(m.Subject) && named:
		return c.PublishClarification(ctx, out, id)
	case l.Stream == events.StreamCommands && command && named:
		return c.RepublishCommand(ctx, out, id)
	case l.Stream == events.StreamCommands && command && strings.Count(m.Subject, ".") == 1: // short
		return c.broker.Publish(ctx, broker.NewMessage(ctx, out, id))
	case l.Stream == events.StreamWebhooks && named && strings.HasPrefix(m.Subject, events.WebhookType+"."):
		return c.PublishWebhook(ctx, out, id)
	}
	return fmt.Errorf("%q of stream %q: %w", m.Subject, l.Stream, events.ErrNoPlace)
}

// DropDeadLetter deletes a dead letter. One that is gone already is no error.
func (c *Conn) DropDeadLetter(ctx context.Context, sequence uint64) error {
	if _, err := c.broker.Overwrite(ctx, events.StreamDeadLetters, sequence); err != nil {
		return fmt.Errorf("drop dead letter: %w", err)
	}
	return nil
}
