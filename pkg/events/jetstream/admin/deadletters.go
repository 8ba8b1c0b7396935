package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// DeadLetters returns at most max dead letters after a sequence, oldest first; 0 begins at the first.
// Fewer than max means that there are no more.
func (c *Conn) DeadLetters(ctx context.Context, after uint64, max int) (deadLetters []events.DeadLetter, err error) {
	for raw, err := range c.broker.Messages(ctx, events.StreamDeadLetters, "deadletter.>", after) {
		if err != nil {
			return nil, fmt.Errorf("dead letters: %w", err)
		}
		if deadLetters = append(deadLetters, deadLetterOf(raw)); len(deadLetters) >= max {
			break
		}
	}
	return deadLetters, nil
}

// DeadLettersOf returns the dead letters about one order, oldest first, also those whose command names the order in its
// body only.
func (c *Conn) DeadLettersOf(ctx context.Context, ref payment.Ref) (deadLetters []events.DeadLetter, err error) {
	for _, filter := range []string{events.DeadLetterFilter(ref.Provider), events.DeadLetterFilter(events.NoProvider)} {
		for raw, err := range c.broker.Messages(ctx, events.StreamDeadLetters, filter, 0) {
			if err != nil {
				return nil, fmt.Errorf("dead letters of %s: %w", ref, err)
			}
			if deadLetter := deadLetterOf(raw); about(deadLetter, ref) {
				deadLetters = append(deadLetters, deadLetter)
			}
		}
	}
	slices.SortFunc(deadLetters, func(a, b events.DeadLetter) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return deadLetters, nil
}

// about reports whether a dead letter names an order.
func about(l events.DeadLetter, ref payment.Ref) bool {
	if named, ok := events.SubjectRef(l.Message.Subject); ok && named == ref {
		return true
	}
	if l.Stream == events.StreamWebhooks {
		return false
	}
	var body struct{ Provider, Order any } // whatever else is wrong with it
	return json.Unmarshal(l.Message.Data, &body) == nil && body.Provider == ref.Provider && body.Order == ref.Order
}

// deadLetterOf reads a dead letter. A header that cannot be read leaves its field empty: an
// operator who looks at dead letters wants to see the broken ones too.
func deadLetterOf(raw *njs.RawStreamMsg) events.DeadLetter {
	header := events.Header(broker.CopyHeader(raw.Header))
	deadLetter := events.DeadLetter{
		Sequence: raw.Sequence, StoredAt: raw.Time, Reason: events.DeadReason(header.Get(events.HeaderDeadReason)),
		Detail: header.Get(events.HeaderDeadDetail), Stream: header.Get(events.HeaderDeadStream), Truncated: broker.TruncatedSize(header),
		Message: events.Message{Subject: header.Get(events.HeaderDeadSubject), Header: header, Data: raw.Data},
	}
	deadLetter.At, _ = time.Parse(time.RFC3339Nano, header.Get(events.HeaderDeadAt))
	deadLetter.Message.Sequence, _ = strconv.ParseUint(header.Get(events.HeaderDeadSequence), 10, 64)
	deadLetter.Message.Deliveries, _ = strconv.Atoi(header.Get(events.HeaderDeadDeliveries))
	return deadLetter
}
