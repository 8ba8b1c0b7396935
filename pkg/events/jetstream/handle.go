package jetstream

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/queue"
)

// delivery is one message in flight.
type delivery struct {
	broker.Stored
	raw          *nats.Msg
	paymentTrace paymentTrace
}

func newDelivery(m *nats.Msg) (*delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, err
	}
	subject, header := events.TakeIntake(m.Subject, events.Header(m.Header))
	return &delivery{raw: m, Stored: broker.Stored{Stream: meta.Stream, Message: events.Message{
		Subject: subject, Header: header, Data: m.Data,
		Sequence: meta.Sequence.Stream, Deliveries: int(meta.NumDelivered), StoredAt: meta.Timestamp.UTC(),
		Delivered: meta.Sequence.Consumer, Pending: meta.NumPending,
	}}}, nil
}

// dispatch has a message worked on, at the same time as others, and its slot freed afterwards. A goroutine goes
// on with the next message: in a new one the stack must grow again for each, which took a twentieth of a
// worker's time.
func (s *consumer) dispatch(ctx context.Context, m *nats.Msg) {
	s.conn.broker.Count.InFlight.Add(1)
	s.jobs <- job{ctx, m, s.conn.keepAlive(m)} // has room for all slots
	if s.working < cap(s.slots) {
		s.working++
		s.handlers.Go(func() {
			for next := range s.jobs {
				s.handle(next)
			}
		})
	}
}

// job is a message that waits for a goroutine.
type job struct {
	ctx   context.Context
	m     *nats.Msg
	alive *heartbeat
}

func (s *consumer) handle(j job) {
	defer s.release(1)
	defer s.conn.broker.Count.InFlight.Add(-1)
	defer j.alive.stop()
	s.work(j.ctx, j.m, j.alive)
}

func (s *consumer) work(ctx context.Context, m *nats.Msg, alive *heartbeat) {
	c := s.conn
	d, err := newDelivery(m)
	if err != nil {
		c.log.Error("delivery without JetStream metadata; dropped", "subject", m.Subject, "error", err)
		return
	}
	c.broker.Count.Deliveries.Add(1)
	if d.Message.Deliveries > 1 {
		c.broker.Count.Redeliveries.Add(1)
	}
	ctx, span := c.startProcess(ctx, d, s.config.Durable)
	alive.within(ctx)
	verdict, hostile := queue.RetryAfter(0), hostileHeader(d)
	switch {
	case hostile != "":
		c.log.ErrorContext(ctx, "a message has headers that give the broker orders; dead-lettered", "stream", d.Stream, "sequence", d.Message.Sequence,
			"subject", d.Message.Subject, "header", hostile, "next", "find out who could publish it: docs/deploy-nats.md")
		verdict = queue.DeadLetter(events.DeadHostile, "the header "+hostile+" gives the broker orders")
	case c.past.shut.Load(): // it was on its way when the log was found to have lost its past
		verdict = queue.RetryAfter(c.cfg.RetryDelay)
	case c.fit.check() == nil: // else another process takes it
		verdict = c.judge(ctx, s.handler, d)
	}
	c.settle(ctx, d, verdict)
	endProcess(span, verdict)
}

// judge calls the handler. A panic becomes a retry.
func (c *Conn) judge(ctx context.Context, handler queue.Handler, d *delivery) (verdict queue.Verdict) {
	defer func() {
		if cause := recover(); cause != nil {
			c.broker.Count.Panics.Add(1)
			c.log.ErrorContext(ctx, "handler panicked", "stream", d.Stream, "sequence", d.Message.Sequence,
				"panic", panicText(cause), "stack", string(debug.Stack()))
			verdict = queue.RetryAfter(c.cfg.RetryDelay)
		}
	}()
	return handler(ctx, d.Message)
}

// panicText says what a handler panicked with. The value can hold anything, also a customer's name, so only
// the runtime's own errors are shown with their text.
func panicText(cause any) string {
	if err, ok := cause.(runtime.Error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%T", cause)
}

// heartbeat reports to the server that a message is in work, every third of AckWait.
type heartbeat struct {
	mu    sync.Mutex
	timer *time.Timer // nil when stopped
	ctx   context.Context
}

func (c *Conn) keepAlive(m *nats.Msg) *heartbeat {
	h, every := &heartbeat{ctx: context.Background()}, c.cfg.AckWait/3
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = time.AfterFunc(every, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.timer == nil {
			return
		}
		if err := c.broker.NATS.Publish(m.Reply, progressText); err != nil {
			c.log.WarnContext(h.ctx, "in-progress acknowledgement failed", "subject", m.Subject, "error", err)
		}
		h.timer.Reset(every)
	})
	return h
}

// within names the span of the work for the log.
func (h *heartbeat) within(ctx context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ctx = ctx
}

func (h *heartbeat) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer.Stop()
	h.timer = nil
}
