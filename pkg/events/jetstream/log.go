package jetstream

import (
	"context"
	"errors"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Last returns a payment as it stands, with the sequence of its last event, which is what [Conn.Append]
// wants to know. On a replicated stream the answer can be a moment old; Append refuses what is built on
// an old one. The error is [events.ErrNoPayment] when the log does not know the order.
func (c *Conn) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	raw, err := c.last(ctx, ref)
	if err != nil {
		return payment.Payment{}, 0, fmt.Errorf("last event of %s: %w", ref, err)
	}
	p, err := events.DecodePayment(raw.Data)
	if err != nil {
		return payment.Payment{}, 0, fmt.Errorf("last event of %s, sequence %d: %w", ref, raw.Sequence, err)
	}
	return p, raw.Sequence, nil
}

func (c *Conn) last(ctx context.Context, ref payment.Ref) (*njs.RawStreamMsg, error) {
	if err := ref.Validate(); err != nil { // a wildcard here would read another's payment
		return nil, err
	}
	stream, err := c.stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, err
	}
	raw, err := stream.GetLastMsgForSubject(ctx, events.PaymentFilter(ref))
	if errors.Is(err, njs.ErrMsgNotFound) {
		return nil, events.ErrNoPayment
	}
	return raw, err
}

// History returns all events of an order, oldest first. It costs one request per event and does not
// depend on how many other orders there are. The error is [events.ErrNoPayment] when there are none.
func (c *Conn) History(ctx context.Context, ref payment.Ref) ([]events.Record, error) {
	last, err := c.last(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("history of %s: %w", ref, err)
	}
	stream, err := c.stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, fmt.Errorf("history of %s: %w", ref, err)
	}
	// Where to end is known, because a search for "none after this" would go through the others.
	var records []events.Record
	for next := uint64(1); next <= last.Sequence; {
		raw := last
		if next < last.Sequence {
			raw, err = stream.GetMsg(ctx, next, njs.WithGetMsgSubject(events.PaymentFilter(ref)))
			if err != nil {
				return nil, fmt.Errorf("history of %s from sequence %d: %w", ref, next, err)
			}
		}
		record, err := recordOf(raw)
		if err != nil {
			return nil, fmt.Errorf("history of %s, sequence %d: %w", ref, raw.Sequence, err)
		}
		records = append(records, record)
		next = raw.Sequence + 1
	}
	return records, nil
}

func recordOf(raw *njs.RawStreamMsg) (events.Record, error) {
	p, err := events.DecodePayment(raw.Data)
	if err != nil {
		return events.Record{}, err
	}
	return events.Record{
		Sequence: raw.Sequence, ID: events.Header(raw.Header).Get(headerEventID), StoredAt: raw.Time, Payment: p,
	}, nil
}

// stream returns a handle of a stream. Handles are asked for once, because each one costs a request;
// the handle knows whether the stream answers direct reads.
func (c *Conn) stream(ctx context.Context, name string) (njs.Stream, error) {
	if known, ok := c.streams.Load(name); ok {
		return known.(njs.Stream), nil
	}
	stream, err := c.js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	c.streams.Store(name, stream)
	return stream, nil
}
