package broker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// TermReason marks a termination as ours for the processes that hear of it, after the dead letter was stored.
const TermReason = "kept in DEADLETTERS"

// maxDetail bounds the detail of a dead letter, in bytes.
const maxDetail = 500

// DeadLetter returns the message that keeps d with the reason why it was given up.
func (c *Client) DeadLetter(d Stored, reason events.DeadReason, detail string) *nats.Msg {
	ref, _ := events.SubjectRef(d.Message.Subject)
	header, body, truncated := kept(d)
	header.Set(events.HeaderDeadTruncated, strconv.Itoa(truncated))
	if truncated == 0 { // whatever its sender wrote there
		delete(header, events.HeaderDeadTruncated)
	}
	msg := &nats.Msg{Subject: events.DeadLetterSubject(d.Stream, ref.Provider), Header: nats.Header(header), Data: body}
	for name, value := range map[string]string{
		events.HeaderDeadReason:     HeaderSafe(string(reason), maxDetail),
		events.HeaderDeadDetail:     HeaderSafe(detail, maxDetail),
		events.HeaderDeadSubject:    d.Message.Subject,
		events.HeaderDeadStream:     d.Stream,
		events.HeaderDeadSequence:   strconv.FormatUint(d.Message.Sequence, 10),
		events.HeaderDeadDeliveries: strconv.Itoa(d.Message.Deliveries),
		events.HeaderDeadAt:         c.Now().UTC().Format(time.RFC3339Nano),
		HeaderMessageID:             d.ID("dead"),
	} {
		events.Header(msg.Header).Set(name, value)
	}
	if d.Stream == events.StreamCommands {
		setRequestedAt(msg.Header, d)
	}
	return msg
}

// GiveUp keeps a message as a dead letter and then, if an upstream published it, why it was refused where the upstream reads it.
// Both have the same id each time, so that after a failure between the two the caller does it again. duplicate says that the dead
// letter was there already.
func (c *Client) GiveUp(ctx context.Context, d Stored, reason events.DeadReason, detail string, problems payment.FieldErrors) (duplicate bool, err error) {
	ack, err := c.Store(ctx, c.DeadLetter(d, reason, detail))
	if err != nil {
		return false, fmt.Errorf("dead letter (%s): %w", reason, err)
	}
	refusal, ok := events.NewRefusal(d.Stream, d.Message, reason, detail, problems, c.Now())
	if !ok {
		return ack.Duplicate, nil
	}
	id := d.ID("refused")
	out, err := events.EncodeRefusal(refusal, id)
	if err != nil {
		return ack.Duplicate, err
	}
	if err := c.Publish(ctx, NewMessage(ctx, out, id)); err != nil {
		return ack.Duplicate, fmt.Errorf("refusal (%s): %w", reason, err)
	}
	return ack.Duplicate, nil
}

// Resend copies the message to another subject. It remembers when the first of its kind was stored.
func Resend(d Stored, subject, action string) *nats.Msg {
	msg := &nats.Msg{Subject: subject, Header: CopyHeader(d.Message.Header), Data: d.Message.Data}
	setRequestedAt(msg.Header, d)
	msg.Header.Set(HeaderMessageID, d.ID(action))
	return msg
}

// setRequestedAt lets a copy of a command remember when the first of its kind was stored.
func setRequestedAt(header nats.Header, d Stored) {
	if d.Message.Header.Get(events.HeaderRequestedAt) == "" {
		header.Set(events.HeaderRequestedAt, d.Message.StoredAt.Format(time.RFC3339Nano))
	}
}

// What is kept of a message that is too big to be worked, for a person to see what it was: the first bytes of its body,
// and headers up to maxKeptHeaders of which none has more than maxKeptHeader.
const (
	maxKeptBody    = 16 << 10
	maxKeptHeaders = 16 << 10
	maxKeptHeader  = 1 << 10
)

// kept returns what a dead letter keeps of a message, and the size of the whole if that is more. A command that could have
// been worked is kept whole, so that it can be replayed, and so is a webhook, which its provider signed.
func kept(d Stored) (header events.Header, body []byte, truncated int) {
	header, body = events.Header(CopyHeader(d.Message.Header)), d.Message.Data
	size := 0
	for name, values := range header {
		size += HeaderSize(name, values)
	}
	if d.Stream == events.StreamWebhooks || len(body) <= events.MaxCommandBytes && size <= maxKeptHeaders {
		return header, body, 0
	}
	whole := size + len(body)
	if size > maxKeptHeaders {
		header = keptHeaders(header)
	}
	return header, body[:min(len(body), maxKeptBody)], whole
}

func HeaderSize(name string, values []string) int {
	size := 0
	for _, value := range values {
		size += len(name) + len(value) + len(": \r\n")
	}
	return size
}

// keptHeaders leaves out long headers, and those for which there is no room: ours and CloudEvents' come first.
func keptHeaders(header events.Header) events.Header {
	room, found := maxKeptHeaders, events.Header{}
	for _, ours := range []bool{true, false} {
		for _, name := range slices.Sorted(maps.Keys(header)) {
			lower := strings.ToLower(name)
			if ours != (strings.HasPrefix(lower, "payonce-") || strings.HasPrefix(lower, cePrefix)) {
				continue
			}
			if size := HeaderSize(name, header[name]); size <= min(room, maxKeptHeader) {
				found[name], room = header[name], room-size
			}
		}
	}
	return found
}

// TruncatedSize reads [events.HeaderDeadTruncated]; 0 for a dead letter that is whole.
func TruncatedSize(header events.Header) int {
	size, err := strconv.Atoi(header.Get(events.HeaderDeadTruncated))
	if err != nil {
		return 0
	}
	return size
}
