package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Queued returns what the queue knows of an order: the payment that its command asks for, or [events.ErrNotQueued]. An
// ingress in an account of its own asks the workers, which do not give it what the command says of a customer.
func (c *Conn) Queued(ctx context.Context, ref payment.Ref) (events.Queued, error) {
	if !c.broker.Apart {
		return c.readQueued(ctx, ref)
	}
	q, err := c.askQueued(ctx, ref)
	if err != nil {
		return q, fmt.Errorf("ask workers for the command of %s: %w", ref, err)
	}
	return q, nil
}

// readQueued reads the queue itself.
func (c *Conn) readQueued(ctx context.Context, ref payment.Ref) (events.Queued, error) {
	m, err := c.QueuedCommand(ctx, ref)
	if err != nil {
		return events.Queued{}, err
	}
	return events.QueuedOf(m), nil
}

// queuedAnswer is what a worker answers. The JSON is on the wire and only ever added to.
type queuedAnswer struct {
	Found   bool          `json:"found"`
	Queued  events.Queued `json:"queued,omitzero"`
	Problem string        `json:"problem,omitempty"` // the queue could not be read
}

func (c *Conn) askQueued(ctx context.Context, ref payment.Ref) (events.Queued, error) {
	if err := ref.Validate(); err != nil {
		return events.Queued{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.PublishTimeout)
	defer cancel()
	m, err := c.broker.NATS.RequestWithContext(ctx, events.QueuedSubject(ref), nil)
	if errors.Is(err, nats.ErrNoResponders) {
		return events.Queued{}, fmt.Errorf("no worker runs: %w", err)
	}
	if err != nil {
		return events.Queued{}, err
	}
	var answer queuedAnswer
	if err := events.Unmarshal(m.Data, &answer); err != nil {
		return events.Queued{}, fmt.Errorf("reply of a worker: %w", err)
	}
	switch {
	case answer.Problem != "":
		return events.Queued{}, errors.New(answer.Problem)
	case !answer.Found:
		return events.Queued{}, events.ErrNotQueued
	}
	return answer.Queued, nil
}

// maxAsked bounds the questions that one worker answers at a time. Others wait, or end when who asked gives up.
const maxAsked = 64

// AnswerQueued answers ingresses in an account of their own what waits in the queue, until ctx ends. Without such an account
// it only waits.
func (c *Conn) AnswerQueued(ctx context.Context) error {
	if !c.broker.Begin() {
		return fmt.Errorf("answer ingresses: %w", ErrClosed)
	}
	defer c.broker.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.broker.Stopping, cancel)()
	if c.cfg.Accounts {
		questions := make(chan *nats.Msg, maxAsked)
		sub, err := c.broker.NATS.ChanQueueSubscribe(events.QueuedSubject(payment.Ref{Provider: "*", Order: "*"}), "workers", questions)
		if err != nil {
			return fmt.Errorf("answer ingresses: %w", err)
		}
		defer func() { _ = sub.Unsubscribe() }()
		for range maxAsked / 8 {
			go c.answerEach(ctx, questions)
		}
	}
	<-ctx.Done()
	return nil
}

func (c *Conn) answerEach(ctx context.Context, questions <-chan *nats.Msg) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-questions:
			c.answerOne(ctx, m)
		}
	}
}

func (c *Conn) answerOne(ctx context.Context, m *nats.Msg) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.PublishTimeout)
	defer cancel()
	ref, ok := events.QueuedRef(m.Subject)
	if !ok {
		return // no client asks this
	}
	var answer queuedAnswer
	var err error
	switch answer.Queued, err = c.readQueued(ctx, ref); {
	case err == nil:
		answer.Found = true
	case !errors.Is(err, events.ErrNotQueued):
		answer.Problem = "cannot read the queue"
		c.log.WarnContext(ctx, "cannot answer a queue query of an ingress", "provider", ref.Provider, "order", ref.Order, "error", err)
	}
	text, err := json.Marshal(answer)
	if err == nil {
		err = m.Respond(text)
	}
	if err != nil {
		c.log.WarnContext(ctx, "queue query of an ingress not answered", "provider", ref.Provider, "order", ref.Order, "error", err)
	}
}
