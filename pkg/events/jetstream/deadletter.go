package jetstream

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// maxDetail bounds the detail of a dead letter, in bytes.
const maxDetail = 500

// deadLetter returns the message that keeps d with the reason why it was given up.
func (c *Conn) deadLetter(d *delivery, reason events.DeadReason, detail string) *nats.Msg {
	ref, _ := events.SubjectRef(d.message.Subject)
	header, body, truncated := kept(d)
	header.Set(HeaderDeadTruncated, strconv.Itoa(truncated))
	if truncated == 0 { // whatever its sender wrote there
		delete(header, HeaderDeadTruncated)
	}
	msg := &nats.Msg{Subject: events.DeadLetterSubject(d.stream, ref.Provider), Header: nats.Header(header), Data: body}
	for name, value := range map[string]string{
		HeaderDeadReason:     headerSafe(string(reason), maxDetail),
		HeaderDeadDetail:     headerSafe(detail, maxDetail),
		HeaderDeadSubject:    d.message.Subject,
		HeaderDeadStream:     d.stream,
		HeaderDeadSequence:   strconv.FormatUint(d.message.Sequence, 10),
		HeaderDeadDeliveries: strconv.Itoa(d.message.Deliveries),
		HeaderDeadAt:         c.now().UTC().Format(time.RFC3339Nano),
		headerMessageID:      d.id("dead"),
	} {
		events.Header(msg.Header).Set(name, value)
	}
	if d.stream == events.StreamCommands {
		setRequestedAt(msg.Header, d)
	}
	return msg
}

// DeadLetter is a message that was given up.
type DeadLetter struct {
	Sequence uint64            // of the dead letter, in DEADLETTERS
	StoredAt time.Time         // when the broker took it
	At       time.Time         // when it was given up
	Reason   events.DeadReason // why
	Detail   string            // for people
	Stream   string            // where the message was
	// Truncated is the size of the whole message where only a part was kept; 0 for one that is whole.
	Truncated int
	// Message as it was. Its StoredAt is not known any more and zero; Header has the Payonce-Dead- headers
	// too and lacks those of the broker.
	Message events.Message
}

// DeadLetters returns at most max dead letters after a sequence, oldest first; 0 begins at the first.
// Fewer than max means that there are no more.
func (c *Conn) DeadLetters(ctx context.Context, after uint64, max int) ([]DeadLetter, error) {
	stream, err := c.stream(ctx, events.StreamDeadLetters)
	if err != nil {
		return nil, fmt.Errorf("dead letters: %w", err)
	}
	var deadLetters []DeadLetter
	for len(deadLetters) < max {
		raw, err := stream.GetMsg(ctx, after+1, njs.WithGetMsgSubject("deadletter.>"))
		if errors.Is(err, njs.ErrMsgNotFound) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("dead letters after %d: %w", after, err)
		}
		deadLetters = append(deadLetters, deadLetterOf(raw))
		after = raw.Sequence
	}
	return deadLetters, nil
}

// DeadLettersOf returns the dead letters about one order, oldest first, also those whose command names the order in its
// body only.
func (c *Conn) DeadLettersOf(ctx context.Context, ref payment.Ref) ([]DeadLetter, error) {
	stream, err := c.stream(ctx, events.StreamDeadLetters)
	if err != nil {
		return nil, fmt.Errorf("dead letters of %s: %w", ref, err)
	}
	var deadLetters []DeadLetter
	for _, filter := range []string{events.DeadLetterFilter(ref.Provider), events.DeadLetterFilter(events.NoProvider)} {
		for after := uint64(0); ; {
			raw, err := stream.GetMsg(ctx, after+1, njs.WithGetMsgSubject(filter))
			if errors.Is(err, njs.ErrMsgNotFound) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("dead letters of %s after %d: %w", ref, after, err)
			}
			after = raw.Sequence
			if deadLetter := deadLetterOf(raw); deadLetter.about(ref) {
				deadLetters = append(deadLetters, deadLetter)
			}
		}
	}
	slices.SortFunc(deadLetters, func(a, b DeadLetter) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return deadLetters, nil
}

// about reports whether a dead letter names an order.
func (l DeadLetter) about(ref payment.Ref) bool {
	if named, ok := events.SubjectRef(l.Message.Subject); ok && named == ref {
		return true
	}
	if l.Stream == events.StreamWebhooks {
		return false
	}
	var body struct{ Provider, Order any } // whatever else is wrong with it
	return json.Unmarshal(l.Message.Data, &body) == nil && body.Provider == ref.Provider && body.Order == ref.Order
}

// deadLetterOf reads a dead letter. A header that cannot be read leaves its field empty: whoever looks
// at dead letters wants to see the broken ones too.
func deadLetterOf(raw *njs.RawStreamMsg) DeadLetter {
	header := events.Header(copyHeader(raw.Header))
	deadLetter := DeadLetter{
		Sequence: raw.Sequence, StoredAt: raw.Time, Reason: events.DeadReason(header.Get(HeaderDeadReason)),
		Detail: header.Get(HeaderDeadDetail), Stream: header.Get(HeaderDeadStream), Truncated: truncatedSize(header),
		Message: events.Message{Subject: header.Get(HeaderDeadSubject), Header: header, Data: raw.Data},
	}
	deadLetter.At, _ = time.Parse(time.RFC3339Nano, header.Get(HeaderDeadAt))
	deadLetter.Message.Sequence, _ = strconv.ParseUint(header.Get(HeaderDeadSequence), 10, 64)
	deadLetter.Message.Deliveries, _ = strconv.Atoi(header.Get(HeaderDeadDeliveries))
	return deadLetter
}
