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

// Endpoint is a receiver of webhooks: which events of the log are read for it.
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

// MaxWaiting is the server's default of open pull requests; written out so that a difference shows.
const MaxWaiting = 512

// EndpointConsumers returns the two durable consumers of each endpoint: one reads new events of the log, the other those of which
// an attempt is due again. Each endpoint has its own, so that one that fails delays no other.
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

// ConsumeEndpoint gives the events of an endpoint to handler, as [Conn.ConsumeCommands] does: new ones of the log and, as many
// at the same time, those that are due again. The verdict [queue.Park] has the broker keep the event in ENDPOINTS until its time,
// and counts an attempt; the event of the log is then finished, so that it holds up no other.
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

// enabledEvery is how often a notifier looks whether an operator has disabled or enabled an endpoint.
const enabledEvery = 2 * time.Second

// awaitEndpoint returns when an endpoint is enabled, or disabled, or when ctx ends. It is disabled while its consumer of ENDPOINTS
// is paused: the broker then keeps what is due again, and this process leaves the log alone. An answer that does not come changes
// nothing.
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

// postponing carries out the verdict Park.
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

// postpone has the broker deliver an event again at a time. There is one schedule for each event and endpoint; a later one
// replaces it.
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

// EndpointBacklog returns what an endpoint has not taken.
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

// AnswerEndpointTests has test events sent for [Conn.TestEndpoint], until ctx ends.
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

// TestEndpoint asks a notifier to send a test event to an endpoint and returns what came of it. The error is
// [events.ErrNoNotifier] when none answers.
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
