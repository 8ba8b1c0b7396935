// Package broker is what the packages of payonce that use NATS share: one connection, questions that wait for a cluster
// which elects a leader, publishes that are repeated until they are acknowledged, and the form of the messages.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
)

// FlushTimeout bounds how long the server is waited for where it must answer at once.
const FlushTimeout = 5 * time.Second

// ErrNotMade says that a stream or consumer could not be made or changed. A user without the right gets no answer, as from a
// broker that is away, so this is never taken for an outage.
var ErrNotMade = errors.New("does this user have the permission? run payctl streams apply as administrator")

// Client is a connection to NATS. All methods are safe for concurrent use.
type Client struct {
	NATS *nats.Conn
	JS   njs.JetStream
	Log  *slog.Logger
	Now  func() time.Time
	// Apart says that this is an ingress in an account of its own: it publishes into the stream of its account, and asks
	// workers for what waits in the queue.
	Apart bool
	// PublishTimeout is how long one publish waits for its acknowledgement before it is repeated.
	PublishTimeout time.Duration

	Writes      Writes
	Count       Counters
	Reconnected Broadcast

	Stopping context.Context // ends when Close begins
	stop     context.CancelFunc
	streams  sync.Map               // name → njs.Stream
	denied   atomic.Pointer[Denial] // the last one
	denials  Broadcast              // at each one

	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup
}

// New returns a client whose NATS and JS are still to be set.
func New(ctx context.Context, log *slog.Logger, now func() time.Time) *Client {
	c := &Client{Log: log, Now: now, Writes: Writes{streams: map[string]*failure{}}}
	c.Stopping, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	return c
}

// Begin registers long-lived work that Close waits for, and that calls Done. It is false when Close was called.
func (c *Client) Begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.work.Add(1)
	return true
}

// Go runs work that Close waits for.
func (c *Client) Go(work func()) { c.work.Go(work) }

// Done ends what Begin registered.
func (c *Client) Done() { c.work.Done() }

// Close ends Stopping, waits for what was begun, flushes what was acknowledged and closes the connection, in this order: to
// close earlier would lose acknowledgements and repeat work. To close twice does nothing.
func (c *Client) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.work.Wait()
	if !first {
		return nil
	}
	defer c.NATS.Close()
	if err := c.NATS.FlushTimeout(FlushTimeout); err != nil {
		return fmt.Errorf("close NATS: acknowledgements may be lost and messages redelivered: %w", err)
	}
	return nil
}

// Stream returns a handle of a stream. Handles are asked for once, because each one costs a request;
// the handle knows whether the stream answers direct reads.
func (c *Client) Stream(ctx context.Context, name string) (njs.Stream, error) {
	if known, ok := c.streams.Load(name); ok {
		return known.(njs.Stream), nil
	}
	stream, err := c.JS.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", name, err)
	}
	c.streams.Store(name, stream)
	return stream, nil
}

// Forget has the next Stream ask for a stream that may have changed.
func (c *Client) Forget(stream string) { c.streams.Delete(stream) }

// CommandsConsumer is the name of the durable consumer of a provider's commands.
func CommandsConsumer(provider string) string { return "commands-" + provider }

// WebhooksConsumer is the name of the durable consumer of a provider's webhooks.
func WebhooksConsumer(provider string) string { return "webhooks-" + provider }

// Broadcast wakes every waiting goroutine. The zero Broadcast is ready to use.
type Broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

// Wait returns a channel that is closed by the next send.
func (b *Broadcast) Wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *Broadcast) Send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
