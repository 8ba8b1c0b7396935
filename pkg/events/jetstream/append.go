package jetstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// HeaderPrevious of an event of the log is the sequence of the event before it of the same order, 0 for the first.
const HeaderPrevious = "Payonce-Previous"

// Append writes the current state of a payment as the next event of its order, if the order's last event is
// still the one with sequence after (0: the order has none). It returns the new event's sequence. Of
// any number of appends after the same event, one is written.
//
//   - nil: this event is in the log, once.
//   - [events.ErrStale]: the payment has moved on since it was read. Read it again and decide again. After
//     a lost acknowledgement this is also the answer when the event was written and a further one
//     followed it.
//   - any other error: it is not known whether the event was written. Read it again.
//
// A lost acknowledgement is resolved by asking the log, until ctx ends. Concurrent appends of different orders can go to the
// server in one batch ([Config.GroupCommit]); each of them returns what it would return alone.
//
// The event has no Nats-Msg-Id: its expected sequence keeps it from being stored twice, and the server would remember each id for
// two minutes, in its memory.
//
// What the customer must do is stored beside the log first, and the event names it: see [Conn.Actions].
func (c *Conn) Append(ctx context.Context, p payment.Payment, after uint64) (seq uint64, err error) {
	id, err := broker.NewID()
	if err != nil {
		return 0, fmt.Errorf("append %s: %w", p.Ref, err)
	}
	ctx, span := c.startAppend(ctx, p, id)
	defer func() { finish(span, err) }()
	if p, err = c.storeActions(ctx, p); err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	out, err := events.EncodePayment(p, id)
	if err != nil {
		return 0, fmt.Errorf("append: %w", err)
	}
	msg := &nats.Msg{Subject: out.Subject, Header: nats.Header(out.Header), Data: out.Data} // no other code has the header
	broker.InjectTrace(ctx, msg.Header)
	last := strconv.FormatUint(after, 10)
	msg.Header.Set(HeaderPrevious, last)
	describe(msg.Header, p)
	msg.Header.Set(njs.ExpectedLastSubjSeqHeader, last)
	msg.Header.Set(njs.ExpectedLastSubjSeqSubjHeader, events.PaymentFilter(p.Ref))
	if err = c.past.wait(ctx); err == nil {
		seq, err = c.append(ctx, msg, p.Ref, after)
	}
	if err != nil {
		return 0, fmt.Errorf("append %s %s after %d: %w", p.Ref, p.Status, after, err)
	}
	c.past.stored(seq)
	return seq, nil
}

func (c *Conn) append(ctx context.Context, msg *nats.Msg, ref payment.Ref, after uint64) (uint64, error) {
	seq, batched, err := c.sendEvent(ctx, msg, ref)
	refused := batched && err != nil && broker.ReplyOf(err) != broker.Lost
	if refused { // perhaps because of another event: sent alone, each has an answer of its own
		seq, err = c.sendAgain(ctx, msg)
	}
	switch broker.ReplyOf(err) {
	case broker.Acked:
		return seq, nil
	case broker.WrongSequence, broker.Contended:
		if !batched {
			return 0, events.ErrStale // nothing of ours was sent before, so nothing of ours is stored
		}
		// That the batch was refused does not prove that nothing of it is stored: what is in the way can be ours.
	case broker.Refused:
		return 0, err
	}
	for wait, soon := broker.NewBackoff(), refused; soon || c.broker.Again(ctx, wait); soon = false {
		last, found := c.lastEvent(ctx, ref)
		switch {
		case found != nil:
			err = found
			continue
		case last.id == msg.Header.Get(broker.HeaderEventID):
			c.broker.NoteStored(events.StreamPayments)
			return last.sequence, nil
		case last.sequence > after:
			return 0, events.ErrStale
		}
		// Ours is not there, as far as this replica knows. Send it again: it expects the same sequence, so
		// whatever became of the first, one is stored. A refusal is checked against the log once more, because
		// the first can be what the server refuses it for.
		if seq, err = c.sendAgain(ctx, msg); err == nil {
			return seq, nil
		}
	}
	return 0, errors.Join(context.Cause(ctx), err)
}

// sendEvent sends an event once, alone or in a batch. batched reports that it was in a batch, which can be refused because of
// another event.
func (c *Conn) sendEvent(ctx context.Context, msg *nats.Msg, ref payment.Ref) (seq uint64, batched bool, err error) {
	if c.group != nil {
		return c.group.send(ctx, ref, msg)
	}
	seq, err = sendAlone(ctx, c.broker, msg)
	return seq, false, err
}

// sendAgain sends an event once more, alone, when the log may be written: the connection can have been lost since it was sent first, and
// what came back can be an older copy of the log, in which the expected sequence is the last one again.
func (c *Conn) sendAgain(ctx context.Context, msg *nats.Msg) (uint64, error) {
	if err := c.past.wait(ctx); err != nil {
		return 0, err
	}
	return sendAlone(ctx, c.broker, msg)
}

func sendAlone(ctx context.Context, b *broker.Client, msg *nats.Msg) (uint64, error) {
	ack, err := b.Send(ctx, msg)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// position is where an event is in the log. The zero position is before the first.
type position struct {
	id       string
	sequence uint64
}

// lastEvent returns the position of an order's last event; zero when there is none. It waits no longer than a
// publish: a server that stops takes the question with it, and it must be asked again.
func (c *Conn) lastEvent(ctx context.Context, ref payment.Ref) (position, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.PublishTimeout)
	defer cancel()
	raw, err := c.last(ctx, ref)
	if errors.Is(err, events.ErrNoPayment) {
		return position{}, nil
	}
	if err != nil {
		return position{}, err
	}
	return position{id: raw.Header.Get(broker.HeaderEventID), sequence: raw.Sequence}, nil
}
