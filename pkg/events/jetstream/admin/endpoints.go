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

// ErrNotCreated says that the consumer of an endpoint or of a ledger does not exist yet.
var ErrNotCreated = errors.New("its consumer does not exist: name it in the configuration, and run payctl streams apply")

// OfEndpoints reports whether a difference concerns a stream or a consumer that only endpoints need.
func OfEndpoints(d Difference) bool {
	return d.Stream == events.StreamEndpoints || strings.HasPrefix(d.Consumer, events.EndpointConsumer(""))
}

// EndpointState reads the state of an endpoint.
func (c *Conn) EndpointState(ctx context.Context, name string) (events.EndpointState, error) {
	s, err := c.readEndpoint(ctx, name)
	if errors.Is(err, njs.ErrConsumerNotFound) || errors.Is(err, njs.ErrStreamNotFound) {
		err = ErrNotCreated
	}
	if err != nil {
		return s, fmt.Errorf("endpoint %s: %w", name, err)
	}
	return s, nil
}

func (c *Conn) readEndpoint(ctx context.Context, name string) (events.EndpointState, error) {
	log, err := c.consumerInfo(ctx, events.StreamPayments, events.EndpointConsumer(name))
	if err != nil {
		return events.EndpointState{}, err
	}
	again, err := c.consumerInfo(ctx, events.StreamEndpoints, events.EndpointConsumer(name))
	if err != nil {
		return events.EndpointState{}, err
	}
	dead, err := c.endpointDeadLetters(ctx)
	if err != nil {
		return events.EndpointState{}, err
	}
	return c.endpointState(ctx, name, log, again, dead[name])
}

// EndpointStates reads the states of all endpoints, by name; endpoints without consumers are left out. It lists consumers, which needs
// a permission that not every user has.
func (c *Conn) EndpointStates(ctx context.Context) (map[string]events.EndpointState, error) {
	log, err := c.endpointConsumers(ctx, events.StreamPayments)
	if err != nil {
		return nil, err
	}
	all := map[string]events.EndpointState{}
	if len(log) == 0 {
		return all, nil
	}
	again, err := c.endpointConsumers(ctx, events.StreamEndpoints)
	if err != nil {
		return nil, err
	}
	dead, err := c.endpointDeadLetters(ctx)
	if err != nil {
		return nil, err
	}
	for name, info := range log {
		if again[name] == nil {
			continue
		}
		if all[name], err = c.endpointState(ctx, name, info, again[name], dead[name]); err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", name, err)
		}
	}
	return all, nil
}

// endpointConsumers returns the consumers of endpoints in a stream, by the endpoint's name.
func (c *Conn) endpointConsumers(ctx context.Context, stream string) (map[string]*njs.ConsumerInfo, error) {
	of, err := c.broker.Stream(ctx, stream)
	if err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", stream, err)
	}
	all, list := map[string]*njs.ConsumerInfo{}, of.ListConsumers(ctx)
	for info := range list.Info() {
		if name, is := strings.CutPrefix(info.Name, events.EndpointConsumer("")); is {
			all[name] = info
		}
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("consumers of %s: %w", stream, err)
	}
	return all, nil
}

// endpointDeadLetters counts the dead letters of each endpoint.
func (c *Conn) endpointDeadLetters(ctx context.Context) (map[string]int, error) {
	counts := map[string]int{}
	for raw, err := range c.broker.Messages(ctx, events.StreamDeadLetters, events.EndpointDeadLetters, 0) {
		if err != nil {
			return nil, err
		}
		if e, ok := events.ParseEndpointEvent(deadLetterOf(raw).Message.Subject); ok {
			counts[e.Endpoint]++
		}
	}
	return counts, nil
}

func (c *Conn) endpointState(ctx context.Context, name string, log, again *njs.ConsumerInfo, dead int) (s events.EndpointState, err error) {
	s.Disabled, s.DeadLetters = again.Paused, dead
	s.New, s.Due = int(log.NumPending)+log.NumAckPending, int(again.NumPending)+again.NumAckPending
	if _, s.Waiting, err = c.broker.Subjects(ctx, events.StreamEndpoints, events.EndpointWaitingFilter(name), 0); err != nil {
		return s, err
	}
	s.NextAt, err = c.nextAttempt(ctx, name, s.Waiting)
	return s, err
}

// mostRead bounds how many waiting events are read to find the time of the next attempt.
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

// disabledFor is how long an endpoint stays disabled unless it is enabled: a pause of a consumer needs an end.
const disabledFor = 100 * 365 * 24 * time.Hour

// DisableEndpoint makes notifiers stop sending to an endpoint, within seconds. Its events wait, for any length of time, until
// EnableEndpoint.
func (c *Conn) DisableEndpoint(ctx context.Context, name string) error {
	_, err := c.broker.JS.PauseConsumer(ctx, events.StreamEndpoints, events.EndpointConsumer(name), c.broker.Now().Add(disabledFor))
	if err != nil {
		return fmt.Errorf("disable endpoint %s: %w", name, c.broker.Denied(err))
	}
	return nil
}

// EnableEndpoint reverses DisableEndpoint.
func (c *Conn) EnableEndpoint(ctx context.Context, name string) error {
	if _, err := c.broker.JS.ResumeConsumer(ctx, events.StreamEndpoints, events.EndpointConsumer(name)); err != nil {
		return fmt.Errorf("enable endpoint %s: %w", name, c.broker.Denied(err))
	}
	return nil
}

// SendAgain queues an event of the log to be sent to an endpoint again, with the webhook-id that it had. replay identifies the person's
// action: if the call is repeated within two minutes, the event is queued once for it.
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
