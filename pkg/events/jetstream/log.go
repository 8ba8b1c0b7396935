package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Last returns a payment as it stands, with the sequence of its last event, which is what [Conn.Append]
// wants to know, as of when it was stored ([payment.Payment.AsStored]). On a replicated stream the answer can be a moment old; Append refuses what is built on
// an old one. The error is [events.ErrNoPayment] when the log does not know the order.
func (c *Conn) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	raw, err := c.last(ctx, ref)
	if err != nil {
		return payment.Payment{}, 0, fmt.Errorf("last event of %s: %w", ref, err)
	}
	tellStory(ctx, events.Header(raw.Header))
	p, err := events.DecodePayment(raw.Data)
	if err != nil {
		return payment.Payment{}, 0, fmt.Errorf("last event of %s, sequence %d: %w", ref, raw.Sequence, err)
	}
	return p.AsStored(raw.Time), raw.Sequence, nil
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

// History returns all events of an order that the log still keeps, oldest first. It costs one read by
// sequence per event, however many other orders there are: each event names the one before it. To
// search by subject instead takes milliseconds per event among 20,000 others already. The error is
// [events.ErrNoPayment] when there are none.
func (c *Conn) History(ctx context.Context, ref payment.Ref) ([]events.Record, error) {
	raw, err := c.last(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("history of %s: %w", ref, err)
	}
	var records []events.Record
	for raw != nil {
		record, err := recordOf(raw)
		if err == nil && record.Payment.Ref != ref {
			err = fmt.Errorf("is of %s", record.Payment.Ref)
		}
		if err != nil {
			return nil, fmt.Errorf("history of %s, sequence %d: %w", ref, raw.Sequence, err)
		}
		records = append(records, record)
		if raw, err = c.previous(ctx, raw); err != nil {
			return nil, fmt.Errorf("history of %s, before sequence %d: %w", ref, record.Sequence, err)
		}
	}
	slices.Reverse(records)
	return records, nil
}

// previous returns the event before one of the same order; nil when there is none, or none any more.
func (c *Conn) previous(ctx context.Context, raw *njs.RawStreamMsg) (*njs.RawStreamMsg, error) {
	seq, err := strconv.ParseUint(raw.Header.Get(HeaderPrevious), 10, 64)
	if err != nil || seq >= raw.Sequence {
		return nil, fmt.Errorf("header %s is %q", HeaderPrevious, raw.Header.Get(HeaderPrevious))
	}
	if seq == 0 {
		return nil, nil
	}
	stream, err := c.stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, err
	}
	before, err := stream.GetMsg(ctx, seq)
	if errors.Is(err, njs.ErrMsgNotFound) { // older than the retention
		return nil, nil
	}
	return before, err
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
