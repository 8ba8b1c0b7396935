package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// reply is what one publish came to.
type reply int

const (
	// lost: no answer, or "try again". The message may be stored or not.
	lost reply = iota
	acked
	// wrongSequence: refused, because the expected sequence is not the last one.
	wrongSequence
	// contended: refused, because a concurrent writer's message for the same subjects is on its way through the
	// cluster. The concurrent writer's may still fail.
	contended
	// refused for another reason, which repeating does not change.
	refused
)

// Error codes of the server, from its errors.json.
const (
	codeWrongLastSequence = 10071 // "wrong last sequence: {seq}"
	codeContended         = 10164 // "wrong last sequence"; on replicated streams, while a concurrent writer is in process
	codeDuplicateInFlight = 10158 // "duplicate message id is in process"
)

// replyOf classifies the error of one publish.
func replyOf(err error) reply {
	var api *njs.APIError
	switch {
	case err == nil:
		return acked
	case errors.As(err, &api):
		switch {
		case api.ErrorCode == codeWrongLastSequence:
			return wrongSequence
		case api.ErrorCode == codeContended:
			return contended
		case api.ErrorCode == codeDuplicateInFlight || api.Code == 429 || api.Code >= 500:
			return lost
		}
		return refused
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return refused
	}
	return lost
}

// errTaken says that a publish was refused because another message stands where none was expected.
var errTaken = errors.New("another message exists already")

// send publishes once and waits for the acknowledgement, at most Config.PublishTimeout.
func (c *Conn) send(ctx context.Context, msg *nats.Msg) (uint64, error) {
	ack, err := c.sendOnce(ctx, msg)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

func (c *Conn) sendOnce(ctx context.Context, msg *nats.Msg) (*njs.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.PublishTimeout)
	defer cancel()
	publish := c.writes.begin()
	ack, err := c.js.PublishMsg(ctx, msg, njs.WithRetryAttempts(0))
	c.noteWrite(msg.Subject, publish, ack, err)
	return ack, err
}

// publish sends a message, which must carry a Nats-Msg-Id, until it is acknowledged, refused, or ctx
// ends. errTaken says that an expected sequence did not hold; after a lost acknowledgement the message
// that is in the way can be this one, because a single server compares sequences before ids.
func (c *Conn) publish(ctx context.Context, msg *nats.Msg) error {
	_, err := c.store(ctx, msg)
	return err
}

// store is publish, and tells whether the message was there already.
func (c *Conn) store(ctx context.Context, msg *nats.Msg) (*njs.PubAck, error) {
	for wait := newBackoff(); ; {
		ack, err := c.sendOnce(ctx, msg)
		switch replyOf(err) {
		case acked:
			return ack, nil
		case wrongSequence:
			return nil, errTaken
		case refused:
			return nil, err
		}
		if !c.again(ctx, wait) {
			return nil, fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		}
	}
}

// again waits before a publish is repeated. It is false when ctx ended or the connection was closed.
func (c *Conn) again(ctx context.Context, wait *backoff) bool {
	if c.nc.IsClosed() || !wait.sleep(ctx) {
		return false
	}
	c.stat.publishRetries.Add(1)
	return true
}

// newMessage returns a message with a copy of the header, the trace context of ctx, and an id against
// its own repetition.
func newMessage(ctx context.Context, out events.Outgoing, id string) *nats.Msg {
	msg := &nats.Msg{Subject: out.Subject, Header: copyHeader(out.Header), Data: out.Data}
	injectTrace(ctx, msg.Header)
	msg.Header.Set(headerMessageID, id)
	return msg
}

// newID returns an id that no other message has: a UUID of version 7.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

// backoff is a growing wait between attempts.
type backoff struct{ next time.Duration }

const (
	backoffFirst = 50 * time.Millisecond
	backoffMost  = time.Second
)

func newBackoff() *backoff { return &backoff{next: backoffFirst} }

// sleep waits and doubles the next wait. It is false when ctx ended.
func (b *backoff) sleep(ctx context.Context) bool {
	timer := time.NewTimer(b.next)
	defer timer.Stop()
	b.next = min(2*b.next, backoffMost)
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
