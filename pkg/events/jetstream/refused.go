package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

const (
	// refusedRetention is how long a refused webhook is kept.
	refusedRetention = 24 * time.Hour
	// refusedProviders is for how many providers the stream has room, the unknown one among them, when each is sent
	// as many as are kept and as large ones. With more, the oldest of all go first.
	refusedProviders = 32
	// refusedBytes is the size of the stream.
	refusedBytes = refusedProviders * events.RefusedBuckets * events.RefusedPerBucket * events.MaxRefusedBytes
)

// refusedStream is for people to look at, so it is the one stream that forgets what is old when it is full. It has no
// schedules and no rollups: no header can remove or forge a message.
func refusedStream(c Config) njs.StreamConfig {
	refused := baseStream(c, events.StreamRefusedWebhooks, "Refused webhooks, masked", "webhook.refused.*.*")
	refused.MaxAge, refused.MaxMsgSize, refused.MaxBytes = refusedRetention, events.MaxRefusedBytes, c.RefusedBytes
	refused.MaxMsgsPerSubject, refused.Discard = events.RefusedPerBucket, njs.DiscardOld
	return refused
}

// PublishRefusedWebhook keeps a refused webhook. It tries once: it is better to lose one than to trouble a broker that is busy. What
// comes of it says nothing about other streams and does not turn readiness off.
func (c *Conn) PublishRefusedWebhook(ctx context.Context, webhook events.Outgoing) error {
	id, err := newID()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.PublishTimeout)
	defer cancel()
	if _, err := c.js.PublishMsg(ctx, newMessage(ctx, webhook, id), njs.WithRetryAttempts(0)); err != nil {
		return fmt.Errorf("publish to %s: %w", events.StreamRefusedWebhooks, err)
	}
	return nil
}

// RefusedWebhook is a refused webhook as it stands in the stream.
type RefusedWebhook struct {
	Sequence uint64
	Webhook  events.RefusedWebhook
	Problem  string // why it cannot be read; Webhook is empty then
}

// ErrNoRefusedWebhook: there is no refused webhook with this sequence, or not any more.
var ErrNoRefusedWebhook = errors.New("there is no such refused webhook")

// RefusedWebhooks returns at most most refused webhooks after a sequence, oldest first; 0 begins at the first. Fewer than
// most means that there are no more.
func (c *Conn) RefusedWebhooks(ctx context.Context, after uint64, most int) ([]RefusedWebhook, error) {
	stream, err := c.stream(ctx, events.StreamRefusedWebhooks)
	if err != nil {
		return nil, fmt.Errorf("refused webhooks: %w", err)
	}
	var all []RefusedWebhook
	for len(all) < most {
		raw, err := stream.GetMsg(ctx, after+1, njs.WithGetMsgSubject("webhook.refused.>"))
		if errors.Is(err, njs.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("refused webhooks after %d: %w", after, err)
		}
		all, after = append(all, refusedOf(raw)), raw.Sequence
	}
	return all, nil
}

// RefusedWebhook returns one refused webhook, or [ErrNoRefusedWebhook].
func (c *Conn) RefusedWebhook(ctx context.Context, sequence uint64) (RefusedWebhook, error) {
	stream, err := c.stream(ctx, events.StreamRefusedWebhooks)
	if err != nil {
		return RefusedWebhook{}, fmt.Errorf("refused webhook %d: %w", sequence, err)
	}
	raw, err := stream.GetMsg(ctx, sequence)
	if errors.Is(err, njs.ErrMsgNotFound) {
		return RefusedWebhook{}, fmt.Errorf("refused webhook %d: %w", sequence, ErrNoRefusedWebhook)
	}
	if err != nil {
		return RefusedWebhook{}, fmt.Errorf("refused webhook %d: %w", sequence, err)
	}
	return refusedOf(raw), nil
}

func refusedOf(raw *njs.RawStreamMsg) RefusedWebhook {
	one := RefusedWebhook{Sequence: raw.Sequence}
	var err error
	if one.Webhook, err = events.DecodeRefusedWebhook(raw.Data); err != nil {
		one.Problem = "it is not a refused webhook"
	}
	return one
}
