package broker

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
)

// AskTimeout is how long one question to the cluster is waited for. A cluster without a leader drops
// what it is asked, so the answer to that question never comes.
const AskTimeout = 2 * time.Second

// Error codes of a cluster that is being put together or elects a leader, from the server's errors.json.
const (
	codeNoPeers       = 10005 // "no suitable peers for placement"
	codeNotAvailable  = 10008 // "JetStream system temporarily unavailable"
	codeNotLeader     = 10009 // "JetStream cluster can not handle request"
	codeFewResources  = 10023 // "insufficient resources": not all servers are known yet
	codeStreamOffline = 10118 // "stream is offline"
)

type atStart struct{}

// AtStart marks the questions of a program that starts: one without an answer ends at once when the server refuses this user
// something, and is not asked again. Later, when many ask at the same time, a denial may be of another question.
func AtStart(ctx context.Context) context.Context { return context.WithValue(ctx, atStart{}, true) }

// Ask asks again until the cluster can answer or ctx ends. What is asked must do no harm twice.
func (c *Client) Ask(ctx context.Context, question func(context.Context) error) error {
	for wait := NewBackoff(); ; {
		err, denied := c.askOnce(ctx, question)
		if denied {
			return c.Denied(err)
		}
		if !NotReady(err) || ctx.Err() != nil {
			return err
		}
		if c.NATS.IsClosed() || !Pause(ctx, wait) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// askOnce asks once. At the start of a program it stops waiting when the server refuses this user something: denied is true then.
func (c *Client) askOnce(ctx context.Context, question func(context.Context) error) (err error, denied bool) {
	ctx, cancel := context.WithTimeout(ctx, AskTimeout)
	defer cancel()
	if ctx.Value(atStart{}) == nil {
		return question(ctx), false
	}
	denials, answered := c.denials.Wait(), make(chan struct{})
	defer close(answered)
	go func() {
		select {
		case <-denials:
			cancel()
		case <-answered:
		}
	}()
	err = question(ctx)
	select {
	case <-denials:
		return err, NotReady(err) || errors.Is(err, context.Canceled)
	default:
		return err, false
	}
}

// NotReady reports whether the cluster may answer in a moment: it elects a leader, or the connection is
// being made again.
func NotReady(err error) bool {
	var api *njs.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode {
		case codeNoPeers, codeNotAvailable, codeNotLeader, codeFewResources, codeStreamOffline:
			return true
		}
	}
	for _, transient := range []error{context.DeadlineExceeded, nats.ErrTimeout, nats.ErrReconnectBufExceeded, nats.ErrDisconnected} {
		if errors.Is(err, transient) {
			return true
		}
	}
	return false
}
