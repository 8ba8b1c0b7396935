package jetstream

import (
	"context"
	"fmt"
	"sync"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// notifier follows the log with one consumer for the whole process and wakes who waits for an order.
type notifier struct {
	conn *Conn

	mu      sync.Mutex
	started bool
	waiters map[payment.Ref]map[chan struct{}]struct{}
}

func newNotifier(c *Conn) *notifier {
	return &notifier{conn: c, waiters: map[payment.Ref]map[chan struct{}]struct{}{}}
}

// Watch returns a channel that receives after each change of a payment, of any where ref is empty, and now and then without one
// (when the following of the log began, or began again): read the payment then. Changes that come while
// the caller does not receive count as one. Read the payment after calling Watch, not before. stop must be called;
// the channel is never closed.
func (c *Conn) Watch(ref payment.Ref) (changed <-chan struct{}, stop func()) {
	h, ch := c.notifier, make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiters[ref] == nil {
		h.waiters[ref] = map[chan struct{}]struct{}{}
	}
	h.waiters[ref][ch] = struct{}{}
	if !h.started && c.broker.Begin() {
		h.started = true
		go h.run()
	}
	return ch, func() { h.forget(ref, ch) }
}

func (h *notifier) forget(ref payment.Ref, ch chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiters[ref], ch)
	if len(h.waiters[ref]) == 0 {
		delete(h.waiters, ref)
	}
}

func (h *notifier) wake(ref payment.Ref) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, waiters := range []map[chan struct{}]struct{}{h.waiters[ref], h.waiters[payment.Ref{}]} {
		for ch := range waiters {
			notify(ch)
		}
	}
}

func (h *notifier) wakeAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, waiters := range h.waiters {
		for ch := range waiters {
			notify(ch)
		}
	}
}

func notify(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default: // it is awake already
	}
}

// run follows the log until the connection is closed.
func (h *notifier) run() {
	defer h.conn.broker.Done()
	ctx := h.conn.broker.Stopping
	wait := broker.NewBackoff()
	for ctx.Err() == nil {
		follow := h.follow
		if h.conn.cfg.Accounts { // the server announces each event, so that no consumer must be made
			follow = h.followApart
		}
		began, err := follow(ctx)
		if ctx.Err() != nil {
			return
		}
		h.conn.log.Warn("restarting the log reader", "error", err)
		if began {
			wait = broker.NewBackoff()
		}
		broker.Pause(ctx, wait)
	}
}

// follow reads the log's subjects from now on, until something breaks. All waiters are woken when it
// begins, for what they missed before. began says whether it came so far.
func (h *notifier) follow(ctx context.Context) (began bool, err error) {
	broken := make(chan error, 1)
	reconnected := h.conn.broker.Reconnected.Wait()
	stream, err := h.conn.broker.JS.Stream(ctx, events.StreamPayments) // for the last sequence
	if err != nil {
		return false, fmt.Errorf("stream %s: %w", events.StreamPayments, err)
	}
	consumer, err := stream.OrderedConsumer(ctx, njs.OrderedConsumerConfig{
		// A start by sequence loses nothing when the client library makes the consumer again.
		DeliverPolicy: njs.DeliverByStartSequencePolicy, OptStartSeq: stream.CachedInfo().State.LastSeq + 1,
		HeadersOnly: true,
	})
	if err != nil {
		return false, fmt.Errorf("ordered consumer of %s: %w", events.StreamPayments, err)
	}
	following, err := consumer.Consume(func(m njs.Msg) {
		if ref, ok := events.SubjectRef(m.Subject()); ok {
			h.wake(ref)
		}
	}, njs.ConsumeErrHandler(func(_ njs.ConsumeContext, err error) {
		select {
		case broken <- err:
		default:
		}
	}))
	if err != nil {
		return false, fmt.Errorf("consume %s: %w", events.StreamPayments, err)
	}
	defer func() { following.Stop(); <-following.Closed() }()
	h.wakeAll()
	select {
	case <-ctx.Done():
		return true, ctx.Err()
	case <-reconnected:
		return true, fmt.Errorf("the connection was lost")
	case err := <-broken:
		return true, err
	case <-following.Closed():
		return true, fmt.Errorf("the consumer ended")
	}
}
