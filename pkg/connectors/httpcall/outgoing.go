package httpcall

import (
	"context"
	"errors"

	"net/http/httptrace"
	"sync"
	"sync/atomic"

	"payonce/pkg/connectors"
)

// outgoing is one request on its way. It knows whether a byte of it may have left, which is the proof behind
// [connectors.NotSent], and holds the last check before the first byte.
type outgoing struct {
	ctx    context.Context
	check  func(ctx context.Context, dialed bool) error
	dialed atomic.Bool // a connection was dialed for this request, also if another one was used in the end
	// answered is set when the whole answer was read: its connection may end in the ordinary way.
	answered atomic.Bool

	mu     sync.Mutex
	state  state
	reused bool  // the connection carried a request before
	kept   error // what kept the request back
}

type state int

const (
	waiting   state = iota // no byte was handed to a connection
	left                   // the first bytes were handed over: they may be anywhere
	withdrawn              // no byte was handed over, and none will be
)

// errWithdrawn answers a write that comes after its request was given up.
var errWithdrawn = errors.New("the request was abandoned before it was written")

type outgoingKey struct{}

// newOutgoing returns the request that ctx makes, and the context to make it with.
func newOutgoing(ctx context.Context) (*outgoing, context.Context) {
	o := &outgoing{check: connectors.SendingOf(ctx).Check}
	ctx = context.WithValue(ctx, outgoingKey{}, o)
	o.ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: o.got})
	return o, o.ctx
}

// OwnConnection returns a context in which [Send] makes a connection for each request, see [Request].NewConnection.
func OwnConnection(ctx context.Context) context.Context {
	s := connectors.SendingOf(ctx)
	s.NewConnection = true
	return connectors.WithSending(ctx, s)
}

func outgoingOf(ctx context.Context) *outgoing {
	o, _ := ctx.Value(outgoingKey{}).(*outgoing)
	return o
}

// got is called when a connection was found, and before anything is written to it.
func (o *outgoing) got(info httptrace.GotConnInfo) {
	if c, ok := info.Conn.(*conn); ok {
		reused := c.take(o)
		o.mu.Lock()
		o.reused = reused
		o.mu.Unlock()
	}
}

// leave is called before each write, and lets the first one pass after the checks.
func (o *outgoing) leave(c *conn) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.state == left:
		return nil
	case o.kept != nil:
		return o.kept
	case o.state == withdrawn:
		return errWithdrawn
	}
	reused := o.reused
	// The checks run without the lock: a request that waits for them can be withdrawn.
	o.mu.Unlock()
	err := o.ready(c, reused)
	o.mu.Lock()
	switch {
	case o.state == withdrawn:
		return errWithdrawn
	case err != nil:
		o.kept = err
		return err
	}
	o.state = left
	return nil
}

// ready makes the checks. The one of the caller is the last.
func (o *outgoing) ready(c *conn, reused bool) error {
	if reused {
		if err := c.quiet(); err != nil {
			return err
		}
	}
	if deadline, ok := o.ctx.Deadline(); ok {
		if err := keepUntil(c.raw, deadline); err != nil {
			return err
		}
	}
	if o.check == nil {
		return nil
	}
	if err := o.check(o.ctx, !reused || o.dialed.Load()); err != nil {
		return &refusedError{err}
	}
	return o.ctx.Err()
}

// hasLeft reports whether a byte of the request may have left.
func (o *outgoing) hasLeft() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state == left
}

// keptBy returns what kept the request back; nil where nothing did.
func (o *outgoing) keptBy() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.kept
}

// withdraw keeps the request back for good, if no byte was handed over yet. It reports whether that is so.
func (o *outgoing) withdraw() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == waiting {
		o.state = withdrawn
	}
	return o.state == withdrawn
}

// refusedError is an error of the caller's own check.
type refusedError struct{ err error }

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }
