package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// ErrNotCreated says that an endpoint or a ledger has no consumer yet.
var ErrNotCreated = errors.New("its consumer does not exist: name it in the configuration, and run payctl streams apply")

// OfEndpoints reports whether a difference is of what only endpoints need.
func OfEndpoints(d Difference) bool {
	return d.Stream == events.StreamEndpoints || strings.HasPrefix(d.Consumer, events.EndpointConsumer(""))
}

// EndpointState is how an endpoint stands.
type EndpointState struct {
	Disabled bool `json:"disabled"`
	// New events of the log were not sent yet; those that are Due were, and are sent again as soon as there is room; Waiting ones
	// have another attempt at NextAt or later.
	New     int       `json:"new"`
	Due     int       `json:"due"`
	Waiting int       `json:"waiting"`
	NextAt  time.Time `json:"next_at,omitzero"`
	// DeadLetters are those of the endpoint.
	DeadLetters int `json:"dead_letters"`
}

// EndpointState reads how an endpoint stands.
func (c *Conn) EndpointState(ctx context.Context, name string) (EndpointState, error) {
	s, err := c.readEndpoint(ctx, name)
	if errors.Is(err, njs.ErrConsumerNotFound) || errors.Is(err, njs.ErrStreamNotFound) {
		err = ErrNotCreated
	}
	if err != nil {
		return s, fmt.Errorf("endpoint %s: %w", name, err)
	}
	return s, nil
}

func (c *Conn) readEndpoint(ctx context.Context, name string) (s EndpointState, err error) {
	log, err := c.consumerInfo(ctx, events.StreamPayments, events.EndpointConsumer(name))
	if err != nil {
		return s, err
	}
	again, err := c.consumerInfo(ctx, events.StreamEndpoints, events.EndpointConsumer(name))
	if err != nil {
		return s, err
	}
	s.Disabled = again.Paused
	s.New, s.Due = int(log.NumPending)+log.NumAckPending, int(again.NumPending)+again.NumAckPending
	_, s.Waiting, err = c.broker.Subjects(ctx, events.StreamEndpoints, events.EndpointWaitingFilter(name), 0)
	if err != nil {
		return s, err
	}
	if s.NextAt, err = c.nextAttempt(ctx, name, s.Waiting); err != nil {
		return s, err
	}
	for raw, err := range c.broker.Messages(ctx, events.StreamDeadLetters, events.EndpointDeadLetters, 0) {
		if err != nil {
			return s, err
		}
		if e, ok := events.ParseEndpointEvent(deadLetterOf(raw).Message.Subject); ok && e.Endpoint == name {
			s.DeadLetters++
		}
	}
	return s, nil
}

// mostRead bounds how many waiting events are read for the time of the next attempt.
const mostRead = 1000

func (c *Conn) nextAttempt(ctx context.Context, name string, waiting int) (next time.Time, err error) {
	if waiting == 0 {
		return next, nil
	}
	read := 0
	for raw, err := range c.broker.Messages(ctx, events.StreamEndpoints, events.EndpointWaitingFilter(name), 0) {
		if err != nil {
			return next, err
		}
		if at := broker.ScheduledFor(broker.MessageOf(raw)); next.IsZero() || at.Before(next) {
			next = at
		}
		if read++; read == mostRead {
			break
		}
	}
	return next, nil
}

func (c *Conn) consumerInfo(ctx context.Context, stream, name string) (*njs.ConsumerInfo, error) {
	var info *njs.ConsumerInfo
	err := c.broker.Ask(ctx, func(ctx context.Context) error {
		consumer, err := c.broker.JS.Consumer(ctx, stream, name)
		if err == nil {
			info = consumer.CachedInfo()
		}
		return err
	})
	return info, err
}

// disabledFor is how long an endpoint stays disabled unless it is enabled: the broker wants an end.
const disabledFor = 100 * 365 * 24 * time.Hour

// DisableEndpoint has notifiers send nothing to an endpoint. Its events wait, however long, until EnableEndpoint. A notifier
// notices it within seconds.
func (c *Conn) DisableEndpoint(ctx context.Context, name string) error {
	_, err := c.broker.JS.PauseConsumer(ctx, events.StreamEndpoints, events.EndpointConsumer(name), c.broker.Now().Add(disabledFor))
	if err != nil {
		return fmt.Errorf("disable endpoint %s: %w", name, c.broker.Denied(err))
	}
	return nil
}

// EnableEndpoint is the opposite of DisableEndpoint.
func (c *Conn) EnableEndpoint(ctx context.Context, name string) error {
	if _, err := c.broker.JS.ResumeConsumer(ctx, events.StreamEndpoints, events.EndpointConsumer(name)); err != nil {
		return fmt.Errorf("enable endpoint %s: %w", name, c.broker.Denied(err))
	}
	return nil
}

// SendAgain has an event of the log sent to an endpoint, under its own webhook-id. replay names the person's action: repeated
// within two minutes, the event is sent once for it.
func (c *Conn) SendAgain(ctx context.Context, endpoint, replay string, m events.Message) error {
	e := events.EndpointEvent{Endpoint: endpoint, Sequence: m.Sequence}
	ref, ok := events.SubjectRef(m.Subject)
	if !ok {
		return fmt.Errorf("send again: %q names no payment", m.Subject)
	}
	e.Ref = ref
	out := events.Outgoing{Subject: e.Due(), Header: m.Header, Data: m.Data}
	if err := c.broker.Publish(ctx, broker.NewMessage(ctx, out, fmt.Sprintf("%s-%s-%d", replay, endpoint, m.Sequence))); err != nil {
		return fmt.Errorf("send event %d to %s again: %w", m.Sequence, endpoint, err)
	}
	return nil
}
