package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// Last returns a payment as it is now, with the sequence of its last event, which is what [Conn.Append]
// wants to know. On a replicated stream the answer can be a moment old; Append refuses what is built on
// an old one. The error is [events.ErrNoPayment] when the log does not know the order, and an [events.UnreadableError] when
// its last event cannot be read: nothing may be appended after that but by a person.
func (c *Conn) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	p, seq, _, err := c.lastStored(ctx, ref)
	return p, seq, err
}

// AsStored is the log as workers read it, who compare its times with the broker's: a payment as of when its last event was
// stored ([payment.Payment.AsStored]).
type AsStored struct{ *Conn }

// Last is [Conn.Last] but for that.
func (c AsStored) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	p, seq, at, err := c.lastStored(ctx, ref)
	return p.AsStored(at), seq, err
}

func (c *Conn) lastStored(ctx context.Context, ref payment.Ref) (p payment.Payment, seq uint64, at time.Time, err error) {
	raw, err := c.last(ctx, ref)
	if err != nil {
		return payment.Payment{}, 0, time.Time{}, fmt.Errorf("last event of %s: %w", ref, err)
	}
	tellTrace(ctx, events.Header(raw.Header))
	p, err = events.ReadPayment(raw.Subject, raw.Sequence, raw.Data)
	c.unreadable.note(ctx, c, ref, raw.Sequence, err)
	if err != nil {
		return payment.Payment{}, 0, time.Time{}, fmt.Errorf("last event of %s: %w", ref, err)
	}
	return p, raw.Sequence, raw.Time, nil
}

func (c *Conn) last(ctx context.Context, ref payment.Ref) (*njs.RawStreamMsg, error) {
	if err := ref.Validate(); err != nil { // a wildcard here would read another's payment
		return nil, err
	}
	stream, err := c.broker.Stream(ctx, events.StreamPayments)
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
//
// An event that cannot be read is among them ([events.Record]). Such a one need not name the one before it; the events are
// then searched by subject.
func (c *Conn) History(ctx context.Context, ref payment.Ref) ([]events.Record, error) {
	raw, err := c.last(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("history of %s: %w", ref, err)
	}
	var records []events.Record
	for raw != nil {
		record, problem := recordOf(raw.Subject, raw.Sequence, raw.Time, events.Header(raw.Header), raw.Data)
		if problem != nil || record.Payment.Ref != ref {
			return c.searchHistory(ctx, ref)
		}
		records = append(records, record)
		if raw, err = c.previous(ctx, raw); errors.Is(err, errNoLink) {
			return c.searchHistory(ctx, ref)
		} else if err != nil {
			return nil, fmt.Errorf("history of %s, before sequence %d: %w", ref, record.Sequence, err)
		}
	}
	slices.Reverse(records)
	return records, nil
}

// searchHistory is History by subject, for orders with an event that was not written by [Conn.Append].
func (c *Conn) searchHistory(ctx context.Context, ref payment.Ref) ([]events.Record, error) {
	var records []events.Record
	err := c.readLog(ctx, logRead{Sequence: 1, Subject: events.PaymentFilter(ref)}, func(e logEvent) (bool, error) {
		record, _ := recordOf(e.subject, e.sequence, e.at, e.header, e.data)
		records = append(records, record)
		return true, nil
	})
	if err != nil {
		return nil, fmt.Errorf("history of %s: %w", ref, err)
	}
	return records, nil
}

// errNoLink says that an event does not name the one before it.
var errNoLink = errors.New("the event names none before it")

// previous returns the event before one of the same order; nil when there is none, or none any more.
func (c *Conn) previous(ctx context.Context, raw *njs.RawStreamMsg) (*njs.RawStreamMsg, error) {
	seq, err := strconv.ParseUint(raw.Header.Get(HeaderPrevious), 10, 64)
	if err != nil || seq >= raw.Sequence {
		return nil, errNoLink
	}
	if seq == 0 {
		return nil, nil
	}
	stream, err := c.broker.Stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, err
	}
	before, err := stream.GetMsg(ctx, seq)
	if errors.Is(err, njs.ErrMsgNotFound) { // older than the retention
		return nil, nil
	}
	return before, err
}

// recordOf returns a record also of what cannot be read; problem says that then.
func recordOf(subject string, sequence uint64, at time.Time, header events.Header, data []byte) (r events.Record, problem error) {
	r = events.Record{Sequence: sequence, ID: header.Get(broker.HeaderEventID), StoredAt: at, Trace: events.TraceOf(header)}
	p, err := events.ReadPayment(subject, sequence, data)
	if bad, is := events.Unreadable(err); is {
		status, _ := events.SubjectStatus(subject)
		r.Payment, r.Unreadable = payment.Payment{Ref: bad.Ref, Status: status}, bad.Problem()
		return r, err
	}
	r.Payment = p
	return r, nil
}

// ErrServerTooOld says that the server does not know scheduled messages.
var ErrServerTooOld = errors.New("nats-server is too old")

// ServerVersion is the version of the server that answers, e.g. "2.12.1".
func (c *Conn) ServerVersion() string { return c.broker.NATS.ConnectedServerVersion() }

// ServerTime returns the time of the server that leads PAYMENTS, of some moment during the call. It is an error when
// the stream is not there.
func (c *Conn) ServerTime(ctx context.Context) (at time.Time, err error) {
	err = c.broker.Ask(ctx, func(ctx context.Context) error {
		stream, err := c.broker.JS.Stream(ctx, events.StreamPayments)
		if err != nil {
			return err
		}
		at = stream.CachedInfo().TimeStamp
		return nil
	})
	if err == nil && at.IsZero() {
		err = errors.New("its answer has no time")
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("ask NATS for the time: %w", err)
	}
	return at, nil
}
