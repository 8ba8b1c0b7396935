package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	njs "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// intakeConsumer reads the short subjects. Providers' consumers have a prefix, so that no provider's
// name can take this one.
const intakeConsumer = "intake"

// ConsumeCommands gives the commands and clarifications of one provider to handler, at most slots at a time, until ctx
// ends. Any number of processes may do so; each command goes to one of them.
//
// A handler's context ends with ctx, with its cause. ConsumeCommands then waits for the handlers, sends
// what they acknowledged and returns nil. It returns an error only when it could not begin. Trouble
// afterwards is repaired for ever; [Conn.Ready] reports it.
func (c *Conn) ConsumeCommands(ctx context.Context, provider string, slots int, handler queue.Handler) error {
	if !payment.ValidProvider(provider) {
		return fmt.Errorf("consume commands: %q is not a valid provider name", provider)
	}
	return c.consume(ctx, events.StreamCommands, slots, handler,
		c.consumerConfig(broker.CommandsConsumer(provider), c.cfg.MaxAckPending, "*.requested."+provider+".*"))
}

// ConsumeIntake gives the commands on the two short subjects, and all that is in the streams of the
// upstreams, to handler, as ConsumeCommands does; slots is for each of these streams. A message of an
// upstream's stream has the subject that the upstream published to.
func (c *Conn) ConsumeIntake(ctx context.Context, slots int, handler queue.Handler) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return c.consume(ctx, events.StreamCommands, slots, handler,
			c.consumerConfig(intakeConsumer, c.cfg.MaxAckPending, events.ShortSubject(payment.Deposit), events.ShortSubject(payment.Payout)))
	})
	upstreams := c.cfg.Upstreams
	if c.cfg.Accounts {
		upstreams = append(slices.Clone(upstreams), events.IngressIntake)
	}
	for _, upstream := range upstreams {
		group.Go(func() error {
			return c.consume(ctx, events.IntakeStream(upstream), slots, c.paced(upstream, handler), c.consumerConfig(intakeConsumer, c.cfg.MaxAckPending))
		})
	}
	return group.Wait()
}

// PaceIntake makes each message of an upstream's stream wait before its handler is called, until pace returns; size is that
// of the message. A message whose pace fails is delivered again. Call it before [Conn.ConsumeIntake].
func (c *Conn) PaceIntake(pace func(ctx context.Context, upstream string, size int) error) {
	c.pace = pace
}

// paced waits in the upstream's own slots, so that no other upstream waits with it. The ingress holds its own keys to theirs.
func (c *Conn) paced(upstream string, handler queue.Handler) queue.Handler {
	if c.pace == nil || upstream == events.IngressIntake {
		return handler
	}
	return func(ctx context.Context, m events.Message) queue.Verdict {
		size := len(m.Data)
		for name, values := range m.Header {
			size += broker.HeaderSize(name, values)
		}
		if c.pace(ctx, upstream, size) != nil {
			return queue.RetryAfter(0)
		}
		return handler(ctx, m)
	}
}

// ConsumeWebhooks gives the webhooks of one provider to handler, as ConsumeCommands does.
func (c *Conn) ConsumeWebhooks(ctx context.Context, provider string, slots int, handler queue.Handler) error {
	if !payment.ValidProvider(provider) {
		return fmt.Errorf("consume webhooks: %q is not a valid provider name", provider)
	}
	return c.consume(ctx, events.StreamWebhooks, slots, handler,
		c.consumerConfig(broker.WebhooksConsumer(provider), c.cfg.WebhookMaxAckPending, "webhook.received."+provider+".*"))
}

// consumerConfig has no BackOff, because that would replace AckWait, and no MaxDeliver, because a
// message beyond it stays in a work queue where no consumer can reach it (nats-server#5564).
func (c *Conn) consumerConfig(name string, maxAckPending int, filters ...string) njs.ConsumerConfig {
	config := njs.ConsumerConfig{
		Durable: name, DeliverPolicy: njs.DeliverAllPolicy, AckPolicy: njs.AckExplicitPolicy,
		AckWait: c.cfg.AckWait, MaxDeliver: -1, MaxAckPending: maxAckPending,
	}
	switch len(filters) {
	case 0: // all of the stream
	case 1:
		config.FilterSubject = filters[0]
	default:
		config.FilterSubjects = filters
	}
	return config
}

// consumer is one running Consume… call.
type consumer struct {
	conn     *Conn
	stream   string
	config   njs.ConsumerConfig
	given    bool // an administrator makes it, and this process may not
	handler  queue.Handler
	slots    chan struct{} // a token for each free slot
	jobs     chan job      // messages in flight that no goroutine has taken yet
	working  int           // goroutines that take them, at most one for each slot
	handlers sync.WaitGroup

	mu      sync.Mutex
	problem error
}

func (c *Conn) consume(ctx context.Context, stream string, slots int, handler queue.Handler, config njs.ConsumerConfig) error {
	return c.consumeAs(ctx, stream, slots, handler, config, false)
}

// consumeAs is consume, by a consumer that must exist if given is true.
func (c *Conn) consumeAs(ctx context.Context, stream string, slots int, handler queue.Handler, config njs.ConsumerConfig, given bool) error {
	if slots < 1 || slots > config.MaxAckPending {
		return fmt.Errorf("consume %s: slots must be 1 to %d, not %d", config.Durable, config.MaxAckPending, slots)
	}
	if !c.broker.Begin() {
		return fmt.Errorf("consume %s: %w", config.Durable, ErrClosed)
	}
	defer c.broker.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.broker.Stopping, func() { cancel(ErrClosed) })()

	s := &consumer{conn: c, stream: stream, config: config, given: given, handler: handler, slots: make(chan struct{}, slots), jobs: make(chan job, slots)}
	s.release(slots)
	c.track(s, true)
	defer c.track(s, false)
	first, err := s.begin(ctx)
	if ctx.Err() != nil && err != nil {
		return nil // asked to stop before it began
	}
	if err != nil {
		return fmt.Errorf("consume %s: %w", config.Durable, err)
	}
	s.run(ctx, first)
	close(s.jobs)
	s.handlers.Wait()
	if err := c.broker.NATS.FlushTimeout(broker.FlushTimeout); err != nil {
		// No error of the caller's work: what was not acknowledged comes again and is recognised.
		c.log.Warn("acknowledgements may be lost", "consumer", config.Durable, "error", err)
	}
	return nil
}

func (c *Conn) track(s *consumer, running bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if running {
		c.consumers[s] = struct{}{}
	} else {
		delete(c.consumers, s)
	}
}

// begin makes the first subscription. It goes on while the cluster elects a leader: to end the process for
// that would only make it begin again.
func (s *consumer) begin(ctx context.Context) (*subscription, error) {
	for wait := broker.NewBackoff(); ; {
		sub, err := s.subscribe(ctx)
		if err == nil {
			s.setTrouble(nil)
			return sub, nil
		}
		if !broker.NotReady(err) || !broker.Pause(ctx, wait) {
			return nil, err
		}
		s.setTrouble(err)
		s.conn.log.Warn("consumer not available yet; will retry", "consumer", s.config.Durable, "error", err)
	}
}

// run keeps a subscription alive until ctx ends.
func (s *consumer) run(ctx context.Context, sub *subscription) {
	wait := broker.NewBackoff()
	for {
		err := sub.run(ctx)
		sub.close()
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errUnfit) { // its source reports why
			if s.conn.fit.await(ctx) != nil {
				return
			}
		} else {
			s.conn.log.Warn("subscription renewed", "consumer", s.config.Durable, "error", err)
		}
		s.conn.broker.Count.Resubscribes.Add(1)
		if sub.received {
			wait = broker.NewBackoff()
		}
		for sub = nil; sub == nil; {
			if !broker.Pause(ctx, wait) {
				return
			}
			if sub, err = s.subscribe(ctx); err != nil {
				s.setTrouble(err)
			} else if !errors.Is(s.trouble(), errStalled) { // a stall is over when a message comes
				s.setTrouble(nil)
			}
		}
	}
}

// trouble returns what keeps messages from coming, or nil.
func (s *consumer) trouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

func (s *consumer) setTrouble(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem = err; err != nil {
		s.problem = fmt.Errorf("consumer %s: %w", s.config.Durable, err)
	}
}

// acquire waits for a free slot and takes all that are free.
func (s *consumer) acquire(ctx context.Context) (int, error) {
	select {
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-s.slots:
	}
	for n := 1; ; n++ {
		select {
		case <-s.slots:
		default:
			return n, nil
		}
	}
}

func (s *consumer) release(n int) {
	for range n {
		s.slots <- struct{}{}
	}
}

// ensure creates the durable consumer or brings it to the configuration. One that fits is left alone.
func (s *consumer) ensure(ctx context.Context) error {
	if s.given {
		_, err := s.conn.broker.JS.Consumer(ctx, s.stream, s.config.Durable)
		return err
	}
	_, err := s.conn.broker.JS.CreateOrUpdateConsumer(ctx, s.stream, s.config)
	return err
}

// pending returns how many messages wait on the server for the consumer, without those in work.
func (s *consumer) pending(ctx context.Context) (uint64, error) {
	handle, err := s.conn.broker.JS.Consumer(ctx, s.stream, s.config.Durable)
	if err != nil {
		return 0, err
	}
	info := handle.CachedInfo()
	if info.Paused { // by an operator
		return 0, nil
	}
	if s.stream == events.StreamPayments && info.NumAckPending >= s.config.MaxAckPending { // a timer whose oldest events wait
		return 0, nil
	}
	return info.NumPending, nil
}

var errStalled = errors.New("messages are ready but not delivered")
