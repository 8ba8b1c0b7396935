package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// Reply is what one publish came to.
type Reply int

const (
	// Lost: no answer, or "try again". The message may be stored or not.
	Lost Reply = iota
	// Acked: it is stored.
	Acked
	// WrongSequence: refused, because the expected sequence is not the last one.
	WrongSequence
	// Contended: refused, because a concurrent writer's message for the same subjects is on its way through the
	// cluster. The concurrent writer's may still fail.
	Contended
	// Refused for another reason, which repeating does not change.
	Refused
)

// Error codes of the server, from its errors.json.
const (
	codeWrongLastSequence = 10071 // "wrong last sequence: {seq}"
	codeContended         = 10164 // "wrong last sequence"; on replicated streams, while a concurrent writer is in process
	codeDuplicateInFlight = 10158 // "duplicate message id is in process"
)

// ReplyOf classifies the error of one publish.
func ReplyOf(err error) Reply {
	var api *njs.APIError
	switch {
	case err == nil:
		return Acked
	case errors.As(err, &api):
		switch {
		case api.ErrorCode == codeWrongLastSequence:
			return WrongSequence
		case api.ErrorCode == codeContended:
			return Contended
		case api.ErrorCode == codeDuplicateInFlight || api.Code == 429 || api.Code >= 500:
			return Lost
		}
		return Refused
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return Refused
	}
	return Lost
}

// ErrTaken says that a publish was refused because another message is where none was expected.
var ErrTaken = errors.New("another message exists already")

// Send publishes once and waits for the acknowledgement, at most PublishTimeout.
func (c *Client) Send(ctx context.Context, msg *nats.Msg) (*njs.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, c.PublishTimeout)
	defer cancel()
	publish := c.Writes.begin()
	ack, err := c.JS.PublishMsg(ctx, msg, njs.WithRetryAttempts(0))
	c.noteWrite(msg.Subject, publish, ack, err)
	return ack, err
}

// Publish sends a message, which must carry a Nats-Msg-Id, until it is acknowledged, refused, or ctx
// ends. ErrTaken says that an expected sequence did not hold; after a lost acknowledgement the message
// that is in the way can be this one, because a single server compares sequences before ids.
func (c *Client) Publish(ctx context.Context, msg *nats.Msg) error {
	_, err := c.Store(ctx, msg)
	return err
}

// Store is Publish, and reports whether the message was there already.
func (c *Client) Store(ctx context.Context, msg *nats.Msg) (*njs.PubAck, error) {
	for wait := NewBackoff(); ; {
		ack, err := c.Send(ctx, msg)
		switch ReplyOf(err) {
		case Acked:
			return ack, nil
		case WrongSequence:
			return nil, ErrTaken
		case Refused:
			return nil, err
		}
		if !c.Again(ctx, wait) {
			return nil, fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		}
	}
}

// Again waits before a publish is repeated. It is false when ctx ended or the connection was closed.
func (c *Client) Again(ctx context.Context, wait backoff.BackOff) bool {
	if c.NATS.IsClosed() || !Pause(ctx, wait) {
		return false
	}
	c.Count.PublishRetries.Add(1)
	return true
}

// NewMessage returns a message with a copy of the header, the trace context of ctx, and an id against
// its own repetition.
func NewMessage(ctx context.Context, out events.Outgoing, id string) *nats.Msg {
	msg := &nats.Msg{Subject: out.Subject, Header: CopyHeader(out.Header), Data: out.Data}
	InjectTrace(ctx, msg.Header)
	msg.Header.Set(HeaderMessageID, id)
	return msg
}

// NewID returns an id that no other message has: a UUID of version 7.
func NewID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

// NewBackoff returns the growing pauses between attempts. They never end: the context of the caller ends the attempts.
func NewBackoff() backoff.BackOff {
	return backoff.NewExponentialBackOff(backoff.WithInitialInterval(50*time.Millisecond), backoff.WithMultiplier(2),
		backoff.WithMaxInterval(time.Second), backoff.WithMaxElapsedTime(0))
}

// Pause waits before the next attempt. It is false when ctx ended.
func Pause(ctx context.Context, wait backoff.BackOff) bool {
	timer := time.NewTimer(wait.NextBackOff())
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
