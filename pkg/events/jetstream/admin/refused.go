package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
)

// refusedRetention is how long a refused webhook is kept.
const refusedRetention = 24 * time.Hour

// refusedStream is for people to look at, so it is the one stream that forgets what is old when it is full. It has no
// schedules and no rollups: no header can remove or forge a message.
func refusedStream(c jetstream.Config) njs.StreamConfig {
	refused := baseStream(c, events.StreamRefusedWebhooks, "Refused webhooks, masked", "webhook.refused.*.*")
	refused.MaxAge, refused.MaxMsgSize, refused.MaxBytes = refusedRetention, events.MaxRefusedBytes, c.RefusedBytes
	refused.MaxMsgsPerSubject, refused.Discard = events.RefusedPerBucket, njs.DiscardOld
	return refused
}

// RefusedWebhook is a refused webhook as it is in the stream.
type RefusedWebhook struct {
	Sequence uint64
	Webhook  events.RefusedWebhook
	Problem  string // why it cannot be read; Webhook is empty then
}

// ErrNoRefusedWebhook: there is no refused webhook with this sequence, or not any more.
var ErrNoRefusedWebhook = errors.New("there is no such refused webhook")

// RefusedWebhooks returns at most most refused webhooks after a sequence, oldest first; 0 begins at the first. Fewer than
// most means that there are no more.
func (c *Conn) RefusedWebhooks(ctx context.Context, after uint64, most int) (all []RefusedWebhook, err error) {
	for raw, err := range c.broker.Messages(ctx, events.StreamRefusedWebhooks, "webhook.refused.>", after) {
		if err != nil {
			return nil, fmt.Errorf("refused webhooks: %w", err)
		}
		if all = append(all, refusedOf(raw)); len(all) >= most {
			break
		}
	}
	return all, nil
}

// RefusedWebhook returns one refused webhook, or [ErrNoRefusedWebhook].
func (c *Conn) RefusedWebhook(ctx context.Context, sequence uint64) (RefusedWebhook, error) {
	stream, err := c.broker.Stream(ctx, events.StreamRefusedWebhooks)
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
