package jetstream

import (
	"context"
	"fmt"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

const (
	// sentPrefetch is how many events wait in the client's memory while they are read through.
	sentPrefetch = 256
	// sentTimeout is how long the next event may take that the server has.
	sentTimeout = 30 * time.Second
)

// SentPayments gives each event of one provider's payments that says that a payment was sent (submitting), or that it
// settled, and that the log stored from from until to, oldest first. Every payment that was ever sent has such an
// event, which was written before it was sent, and one that came to an outcome unsent has settled. An order can come
// more than once; ask [Conn.Last] how it stands.
//
// An event that cannot be read comes as a payment that has only its Ref, and UpdatedAt for when it was stored.
//
// Nothing is kept in memory, nothing is acknowledged, and no consumer is left behind. It ends at the first error of
// each and returns it.
func (c *Conn) SentPayments(ctx context.Context, provider string, from, to time.Time, each func(payment.Payment) error) error {
	if !payment.ValidProvider(provider) || from.IsZero() {
		return fmt.Errorf("sent payments: %q is not a valid provider name, or the start time is missing", provider)
	}
	if err := c.readSent(ctx, provider, from, to, each); err != nil {
		return fmt.Errorf("sent payments of %s: %w", provider, err)
	}
	return nil
}

func (c *Conn) readSent(ctx context.Context, provider string, from, to time.Time, each func(payment.Payment) error) error {
	all := payment.Ref{Provider: provider, Order: "*"}
	return c.readLog(ctx, logRead{From: &from, Subject: events.PaymentFilter(all)}, func(e logEvent) (more bool, err error) {
		if !e.at.Before(to) {
			return false, nil
		}
		if status, _ := events.SubjectStatus(e.subject); status != payment.Submitting && status != payment.Settled {
			return true, nil
		}
		p, err := events.ReadPayment(e.subject, e.sequence, e.data)
		if bad, is := events.Unreadable(err); is {
			p = payment.Payment{Ref: bad.Ref, UpdatedAt: e.at.UTC()}
		}
		return true, each(p)
	})
}

// readThrough gives each message of a stream that config chooses to each, oldest first, until there is no more, each says
// so, or it fails. It leaves no consumer behind.
func (c *Conn) readThrough(ctx context.Context, name string, config njs.OrderedConsumerConfig, each func(njs.Msg) (more bool, err error)) error {
	stream, err := c.stream(ctx, name)
	if err != nil {
		return err
	}
	consumer, err := stream.OrderedConsumer(ctx, config)
	if err != nil {
		return fmt.Errorf("ordered consumer: %w", err)
	}
	defer func() { // the server would do it too, five minutes later
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		_ = stream.DeleteConsumer(ctx, consumer.CachedInfo().Name)
	}()
	if consumer.CachedInfo().NumPending == 0 {
		return nil
	}
	messages, err := consumer.Messages(njs.PullMaxMessages(sentPrefetch))
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer messages.Stop()
	for {
		m, err := nextSent(ctx, messages)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if more, err := each(m); err != nil || !more {
			return err
		}
	}
}

func nextSent(ctx context.Context, messages njs.MessagesContext) (njs.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, sentTimeout)
	defer cancel()
	return messages.Next(njs.NextContext(ctx))
}
