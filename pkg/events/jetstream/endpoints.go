package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// Endpoint is a receiver of webhooks, and which events of the log it gets.
type Endpoint struct {
	Name      string
	Providers []string // empty means all
	Statuses  []payment.Status
}

// EndpointConsumer is a durable consumer of an endpoint.
type EndpointConsumer struct {
	Endpoint, Stream string
	Config           njs.ConsumerConfig
}

// MaxWaiting is the server's default limit of open pull requests. It is set explicitly, so that payctl streams diff shows another value.
const MaxWaiting = 512

// EndpointConsumers returns the two durable consumers of each endpoint: one reads new events of the log, the other events that are due
// for another attempt. Each endpoint has consumers of its own, so that a failing one delays no other.
func EndpointConsumers(c Config) []EndpointConsumer {
	var all []EndpointConsumer
	for _, e := range c.Endpoints {
		var filters []string
		for _, status := range e.Statuses {
			for _, provider := range orAny(e.Providers) {
				filters = append(filters, events.PaymentSubject(status, payment.Ref{Provider: provider, Order: "*"}))
			}
		}
		log := endpointConsumer(c, e.Name, "Events for the endpoint "+e.Name, filters)
		log.DeliverPolicy = njs.DeliverNewPolicy
		again := endpointConsumer(c, e.Name, "Events to be sent to the endpoint "+e.Name+" again", []string{events.EndpointDueFilter(e.Name)})
		again.DeliverPolicy = njs.DeliverAllPolicy
		all = append(all, EndpointConsumer{e.Name, events.StreamPayments, log}, EndpointConsumer{e.Name, events.StreamEndpoints, again})
	}
	return all
}

func orAny(providers []string) []string {
	if len(providers) == 0 {
		return []string{"*"}
	}
	return providers
}

func endpointConsumer(c Config, endpoint, description string, filters []string) njs.ConsumerConfig {
	name := events.EndpointConsumer(endpoint)
	config := njs.ConsumerConfig{
		Name: name, Durable: name, Description: description, AckPolicy: njs.AckExplicitPolicy, AckWait: c.AckWait,
		MaxDeliver: -1, MaxAckPending: c.MaxAckPending, MaxWaiting: MaxWaiting, FilterSubjects: filters,
	}
	if len(filters) == 1 {
		config.FilterSubject, config.FilterSubjects = filters[0], nil
	}
	return config
}

// ConsumeEndpoint calls handler for the events of an endpoint, like [Conn.ConsumeCommands]: for new events of the log and, with as many
// slots again, for events that are due for another attempt. On the verdict [queue.Park] the event is stored in ENDPOINTS until its time,
// with one more attempt counted; the event of the log is then acknowledged, so that it does not block others.
//
// Where NATS has accounts the consumers must exist.
func (c *Conn) ConsumeEndpoint(ctx context.Context, endpoint string, slots int, handler queue.Handler) error {
	for {
		if err := c.awaitEndpoint(ctx, endpoint, true); err != nil || ctx.Err() != nil {
			return err
		}
		group, enabled := errgroup.WithContext(ctx)
		enabled, disable := context.WithCancel(enabled)
		group.Go(func() error {
			defer disable()
			return c.awaitEndpoint(enabled, endpoint, false)
		})
		group.Go(func() error { return c.consumeEnabled(enabled, endpoint, slots, handler) })
		if err := group.Wait(); err != nil {
			return err
		}
	}
}

// enabledEvery is how often a notifier checks whether an operator has disabled or enabled an endpoint.
const enabledEvery = 2 * time.Second

// awaitEndpoint returns when an endpoint is enabled (or disabled, if enabled is false), or when ctx ends. An endpoint is disabled while its
// consumer of ENDPOINTS is paused: the broker then delivers nothing that is due again, and this process reads no new events for it. If the
// broker does not answer, the last known state counts.
func (c *Conn) awaitEndpoint(ctx context.Context, endpoint string, enabled bool) error {
	for first := true; ; first = false {
		asking, cancel := context.WithTimeout(ctx, broker.AskTimeout)
		consumer, err := c.broker.JS.Consumer(asking, events.StreamEndpoints, events.EndpointConsumer(endpoint))
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil && consumer.CachedInfo().Paused != enabled:
			return nil
		case err != nil && first && enabled:
			return fmt.Errorf("consume %s: %w", events.EndpointConsumer(endpoint), err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(enabledEvery):
		}
	}
}

func (c *Conn) consumeEnabled(ctx context.Context, endpoint string, slots int, handler queue.Handler) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, of := range EndpointConsumers(c.cfg) {
		if of.Endpoint == endpoint {
			group.Go(func() error {
				return c.consumeAs(ctx, of.Stream, slots, c.postponing(endpoint, of.Stream, handler), of.Config, c.cfg.Accounts)
			})
		}
	}
	return group.Wait()
}

// postponing returns a handler that carries out the verdict [queue.Park] of another one.
func (c *Conn) postponing(endpoint, stream string, handler queue.Handler) queue.Handler {
	return func(ctx context.Context, m events.Message) queue.Verdict {
		v := handler(ctx, m)
		if v.Kind != queue.Park {
			return v
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.AckWait)
		defer cancel()
		if err := c.postpone(ctx, endpoint, broker.Stored{Stream: stream, Message: m}, v.At); err != nil {
			c.broker.Count.Unsettled.Add(1)
			c.log.ErrorContext(ctx, "cannot keep an event for another attempt; will retry", "endpoint", endpoint, "sequence", m.Sequence, "error", err)
			return queue.RetryAfter(c.cfg.RetryDelay)
		}
		return queue.Acknowledge()
	}
}

// postpone schedules an event for delivery at a time. There is one schedule for each event and endpoint; a later one replaces it.
func (c *Conn) postpone(ctx context.Context, endpoint string, d broker.Stored, at time.Time) error {
	e, ok := events.ParseEndpointEvent(d.Message.Subject)
	if !ok {
		e = events.EndpointEvent{Endpoint: endpoint, Sequence: d.Message.Sequence}
		if e.Ref, ok = events.SubjectRef(d.Message.Subject); !ok {
			return fmt.Errorf("postpone: %q names no payment", d.Message.Subject)
		}
	}
	attempts, first := events.EndpointAttempts(d.Message.Header)
	if first.IsZero() {
		first = c.broker.Now()
	}
	msg := &nats.Msg{Subject: e.Waiting(), Header: broker.CopyHeader(d.Message.Header), Data: d.Message.Data}
	msg.Header.Set(events.HeaderAttempts, strconv.Itoa(attempts+1))
	msg.Header.Set(events.HeaderFirstAttempt, first.UTC().Format(time.RFC3339Nano))
	msg.Header.Set(broker.HeaderMessageID, d.ID("postpone-"+endpoint))
	msg.Header.Set(njs.ScheduleHeader, "@at "+broker.WholeSecond(at).Format(time.RFC3339))
	msg.Header.Set(njs.ScheduleTargetHeader, e.Due())
	if err := c.broker.Publish(ctx, msg); err != nil {
		return fmt.Errorf("postpone to %s: %w", e.Waiting(), err)
	}
	c.broker.Count.Parked.Add(1)
	return nil
}

// EndpointBacklog counts the events that an endpoint has not accepted yet.
func (c *Conn) EndpointBacklog(ctx context.Context, endpoint string) (events.EndpointBacklog, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.AskTimeout)
	defer cancel()
	var found [2]*njs.ConsumerInfo
	for i, stream := range []string{events.StreamPayments, events.StreamEndpoints} {
		consumer, err := c.broker.JS.Consumer(ctx, stream, events.EndpointConsumer(endpoint))
		if err != nil {
			return events.EndpointBacklog{}, fmt.Errorf("what waits for endpoint %s: %w", endpoint, err)
		}
		found[i] = consumer.CachedInfo()
	}
	log, again := found[0], found[1]
	return events.EndpointBacklog{
		New: int(log.NumPending) + log.NumAckPending, Due: int(again.NumPending) + again.NumAckPending, Disabled: again.Paused,
	}, nil
}

// maxTests bounds the test events that one notifier sends at a time.
const maxTests = 8

// AnswerEndpointTests answers the requests of [Conn.TestEndpoint] by calling test, until ctx ends.
func (c *Conn) AnswerEndpointTests(ctx context.Context, test func(ctx context.Context, endpoint string) (events.EndpointTest, bool)) error {
	questions := make(chan *nats.Msg, maxTests)
	sub, err := c.broker.NATS.ChanQueueSubscribe(events.EndpointTestSubject("*"), "notifiers", questions)
	if err != nil {
		return fmt.Errorf("answer tests of endpoints: %w", err)
	}
	defer func() { _ = sub.Unsubscribe() }()
	var group errgroup.Group
	group.SetLimit(maxTests)
	defer func() { _ = group.Wait() }()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-questions:
			group.Go(func() error {
				c.answerTest(ctx, m, test)
				return nil
			})
		}
	}
}

func (c *Conn) answerTest(ctx context.Context, m *nats.Msg, test func(context.Context, string) (events.EndpointTest, bool)) {
	name := m.Subject[len(events.EndpointTestSubject("")):]
	result, known := test(ctx, name)
	if !known {
		result.Problem = "this notifier's configuration has no such endpoint"
	}
	text, err := json.Marshal(result)
	if err == nil {
		err = m.Respond(text)
	}
	if err != nil {
		c.log.WarnContext(ctx, "result of an endpoint's test not sent", "endpoint", name, "error", err)
	}
}

// TestEndpoint asks a notifier to send a test event to an endpoint and returns the result. The error is [events.ErrNoNotifier] when none
// answers.
func (c *Conn) TestEndpoint(ctx context.Context, endpoint string) (events.EndpointTest, error) {
	var result events.EndpointTest
	m, err := c.broker.NATS.RequestWithContext(ctx, events.EndpointTestSubject(endpoint), nil)
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, context.DeadlineExceeded) {
		return result, fmt.Errorf("test endpoint %s: %w", endpoint, events.ErrNoNotifier)
	}
	if err == nil {
		err = events.Unmarshal(m.Data, &result)
	}
	if err != nil {
		return result, fmt.Errorf("test endpoint %s: %w", endpoint, err)
	}
	return result, nil
}
