package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// PersonalData lists what is kept beside the log of a payment that has ended: what its customer had to do, its commands
// and clarifications, its webhooks, and dead letters about it. Another command under the same order, or another upstream's,
// has not been refused yet. Nothing is read of the streams of upstreams and of the ingress, which workers empty within
// seconds.
func (c *Conn) PersonalData(ctx context.Context, p payment.Payment) ([]events.Personal, error) {
	if err := p.Ref.Validate(); err != nil {
		return nil, err
	}
	var all []events.Personal
	for _, look := range []func(context.Context, payment.Ref) ([]events.Personal, error){
		c.actionsOf,
		func(ctx context.Context, _ payment.Ref) ([]events.Personal, error) { return c.commandsOf(ctx, p) },
		c.webhooksOf, c.deadLettersOf,
	} {
		found, err := look(ctx, p.Ref)
		if err != nil {
			return nil, fmt.Errorf("personal data of %s: %w", p.Ref, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func (c *Conn) actionsOf(ctx context.Context, ref payment.Ref) ([]events.Personal, error) {
	return c.messagesOf(ctx, events.StreamActions, events.ActionSubject(ref, "*"), func(events.Message) string { return "" })
}

// commandsOf lists what of the order waits in the queue or is parked.
func (c *Conn) commandsOf(ctx context.Context, p payment.Payment) ([]events.Personal, error) {
	needed := func(m events.Message) string {
		if events.IsClarification(m.Subject) {
			return "" // nothing is asked any more
		}
		if strings.HasPrefix(m.Subject, events.ParkedSubject(p.Ref)) {
			m.Subject = m.Header.Get(njs.ScheduleTargetHeader)
		}
		if cmd, err := events.DecodeCommand(m); err == nil && cmd.Fingerprint() == p.Fingerprint && p.TakenFor(cmd.Upstream) {
			return ""
		}
		return "another command of the order is queued and will be dead-lettered"
	}
	queued, err := c.messagesOf(ctx, events.StreamCommands, events.CommandFilter(p.Ref), needed)
	if err != nil {
		return nil, err
	}
	parked, err := c.messagesOf(ctx, events.StreamCommands, events.ParkedSubject(p.Ref), needed)
	return append(queued, parked...), err
}

// webhooksOf lists the webhooks of the order. What no worker has judged yet may be about money.
func (c *Conn) webhooksOf(ctx context.Context, ref payment.Ref) ([]events.Personal, error) {
	judged, err := c.judgedWebhooks(ctx, ref.Provider)
	if err != nil {
		return nil, err
	}
	received, err := c.messagesOf(ctx, events.StreamWebhooks, events.WebhookSubject(ref), func(m events.Message) string {
		if m.Sequence > judged {
			return "a webhook that no worker has processed yet"
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	waiting, err := c.messagesOf(ctx, events.StreamWebhooks, events.WaitingSubject(ref, "*"), func(events.Message) string {
		return "a webhook that is parked"
	})
	return append(received, waiting...), err
}

// judgedWebhooks returns the sequence up to which all webhooks of a provider were acknowledged; 0 where no
// consumer reads them.
func (c *Conn) judgedWebhooks(ctx context.Context, provider string) (uint64, error) {
	consumer, err := c.broker.JS.Consumer(ctx, events.StreamWebhooks, broker.WebhooksConsumer(provider))
	if errors.Is(err, njs.ErrConsumerNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	info := consumer.CachedInfo()
	if info.NumAckPending == 0 && info.NumPending == 0 { // the floor stays at the last webhook of this provider
		return info.Delivered.Stream, nil
	}
	return info.AckFloor.Stream, nil
}

// deadLettersOf lists the dead letters about the order. One of a webhook may be about money until a person has decided
// about it.
func (c *Conn) deadLettersOf(ctx context.Context, ref payment.Ref) ([]events.Personal, error) {
	deadLetters, err := c.DeadLettersOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	var all []events.Personal
	for _, l := range deadLetters {
		m := events.Personal{Stream: events.StreamDeadLetters, Subject: l.Message.Subject, Sequence: l.Sequence, StoredAt: l.StoredAt}
		if l.Stream == events.StreamWebhooks {
			m.Needed = "a dead-lettered webhook; replay or drop it first"
		}
		all = append(all, m)
	}
	return all, nil
}

// messagesOf lists the messages of a stream under a subject, oldest first.
func (c *Conn) messagesOf(ctx context.Context, name, filter string, needed func(events.Message) string) (all []events.Personal, err error) {
	for raw, err := range c.broker.Messages(ctx, name, filter, 0) {
		if err != nil {
			return nil, fmt.Errorf("%s of stream %s: %w", filter, name, err)
		}
		all = append(all, events.Personal{Stream: name, Subject: raw.Subject, Sequence: raw.Sequence, StoredAt: raw.Time, Needed: needed(broker.MessageOf(raw))})
	}
	return all, nil
}

// Erase deletes a message and lets the server overwrite its bytes on the disk. One that is gone already is no error.
func (c *Conn) Erase(ctx context.Context, m events.Personal) error {
	if _, err := c.broker.Overwrite(ctx, m.Stream, m.Sequence); err != nil {
		return fmt.Errorf("erase from %s: %w", m.Stream, err)
	}
	return nil
}
