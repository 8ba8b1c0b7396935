package jetstream

import (
	"context"
	"errors"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// publishApart puts a command into the stream of an ingress in an account of its own. What waits in COMMANDS already is
// asked of the workers first, so that an upstream hears of it. That is a courtesy: when no worker runs, or when another
// command of the same order comes at the same moment, the command is stored and a worker compares it with the first.
func (c *Conn) publishApart(ctx context.Context, msg *nats.Msg, ref payment.Ref) error {
	switch _, err := c.askQueued(ctx, ref); {
	case err == nil:
		return events.ErrQueued
	case !errors.Is(err, events.ErrNotQueued):
		c.log.DebugContext(ctx, "cannot ask workers about the queue; will retry", "provider", ref.Provider, "order", ref.Order, "error", err)
	}
	return c.broker.Publish(ctx, msg)
}

// probeApart writes to the ingress's own stream, if no worker has yet to take the probe before it: probes must not pile up
// while no worker runs. The stream has no rollups, so none takes another's place.
func (c *Conn) probeApart(ctx context.Context, stream string) error {
	msg := nats.NewMsg(events.ProbeSubject(stream))
	msg.Header.Set(njs.ExpectedLastSubjSeqHeader, "0")
	msg.Data = make([]byte, probeBytes)
	_, err := c.broker.Send(ctx, msg)
	if reply := broker.ReplyOf(err); reply == broker.WrongSequence || reply == broker.Contended {
		return nil
	}
	return err
}

// followApart wakes who waits for a payment by what the server says of each event after it was stored.
func (h *notifier) followApart(ctx context.Context) (began bool, err error) {
	reconnected := h.conn.broker.Reconnected.Wait()
	sub, err := h.conn.broker.NATS.Subscribe(events.WrittenSubject, func(m *nats.Msg) {
		if ref, ok := events.SubjectRef(events.CutWritten(m.Subject)); ok {
			h.wake(ref)
		}
	})
	if err != nil {
		return false, fmt.Errorf("follow the log: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	flushing, cancel := context.WithTimeout(ctx, broker.FlushTimeout) // the client library refuses one without a deadline
	defer cancel()
	if err := h.conn.broker.NATS.FlushWithContext(flushing); err != nil { // the server knows the subscription before a caller reads
		return false, fmt.Errorf("follow the log: %w", err)
	}
	h.wakeAll()
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-reconnected:
		return true, errors.New("the connection was lost")
	}
}
