package weekend_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"payonce/internal/natstest"
	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

const (
	away  = "away-kr"  // wants to be left alone until Monday
	other = "other-kr" // must not notice
)

// system is one nats-server with one worker.
type system struct {
	t    testing.TB
	conn *jetstream.Conn

	mu       sync.Mutex
	closed   bool
	executed map[string]int           // by order, what the provider away executed
	settled  map[string]chan struct{} // closed when the outcome stands in the log
}

func start(t testing.TB) *system {
	t.Helper()
	s := &system{t: t, closed: true, executed: map[string]int{}, settled: map[string]chan struct{}{}}
	server, store := natstest.StartSynced(t), miniredis.RunT(t)
	var err error
	s.conn, err = jetstream.Connect(t.Context(), jetstream.Options{
		URLs: []string{server.URL()}, Name: "weekend", Config: jetstream.DefaultConfig(), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.conn.EnsureStreams(t.Context()); err != nil {
		t.Fatal(err)
	}
	client, err := redis.NewClient(redis.Config{Addresses: []string{store.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := worker.New(worker.Options{
		Log: log{s.conn, s}, Claims: redis.New(client, redis.Options{}), Timing: worker.DefaultTiming(), Now: time.Now, NewID: uuid.NewString,
		Connectors: connectors.NewRegistry(map[string]connectors.Connector{away: provider{s, away}, other: provider{s, other}}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx, s.conn, func(string) int { return 16 }) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = s.conn.Close()
		_ = client.Close()
	})
	return s
}

// log tells when an outcome is written.
type log struct {
	*jetstream.Conn
	s *system
}

func (l log) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	seq, err := l.Conn.Append(ctx, p, after)
	if err == nil && p.Status == payment.Settled {
		l.s.mu.Lock()
		if written := l.s.settled[p.Order]; written != nil {
			close(written)
		}
		l.s.mu.Unlock()
	}
	return seq, err
}

// provider executes everything at once; away does not take anything while it is closed, and says so.
type provider struct {
	s    *system
	name string
}

func (p provider) Submit(_ context.Context, cmd payment.Command) (payment.Observation, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.name == away && p.s.closed {
		return payment.Observation{}, &connectors.Error{Class: connectors.Throttled, Code: payment.ReasonClosed, Evidence: "closed", RetryAfter: 60 * time.Hour}
	}
	p.s.executed[cmd.Order]++
	return payment.Observation{Kind: payment.Paid}, nil
}

func (p provider) Lookup(context.Context, connectors.Query) (payment.Observation, error) {
	return payment.Observation{Kind: payment.Unknown}, nil
}

func (p provider) Traits() connectors.Traits {
	return connectors.Traits{
		Kind: p.name, Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 64, SettlingDelay: 5 * time.Minute,
	}
}

// park sends payouts for the provider that is away and waits until all are parked.
func (s *system) park(n int) {
	s.t.Helper()
	group, ctx := errgroup.WithContext(s.t.Context())
	group.SetLimit(32)
	for i := range n {
		group.Go(func() error { return s.publish(ctx, away, fmt.Sprintf("W-%d", i)) })
	}
	if err := group.Wait(); err != nil {
		s.t.Fatal(err)
	}
	s.until("all are parked", func() bool { return s.conn.Stats().Parked >= uint64(n) })
}

func (s *system) publish(ctx context.Context, name, order string) error {
	out, err := events.EncodeCommand(payment.Command{
		Ref: payment.Ref{Provider: name, Order: order}, Operation: payment.Payout, Amount: payment.KRW(10000), RequestedAt: time.Now(),
	}, uuid.NewString())
	if err != nil {
		return err
	}
	return s.conn.PublishCommand(ctx, out)
}

// open lets the provider take payouts and releases what is parked, spread over a time.
func (s *system) open(over time.Duration) {
	s.t.Helper()
	s.mu.Lock()
	s.closed = false
	s.mu.Unlock()
	refs, err := s.conn.ParkedOrders(s.t.Context(), away)
	if err != nil {
		s.t.Fatal(err)
	}
	service := operator.Service{Log: s.conn, Queue: s.conn, Now: time.Now}
	began := time.Now()
	group, ctx := errgroup.WithContext(s.t.Context())
	group.SetLimit(8)
	for i, ref := range refs {
		group.Go(func() error {
			_, err := service.Release(ctx, ref, operator.Person{Name: "kim", Why: "Monday"}, began.Add(over/time.Duration(len(refs))*time.Duration(i)))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		s.t.Error(err)
	}
}

// trickle opens the provider and sends new payouts for it at a steady pace until it is stopped.
func (s *system) trickle(pace time.Duration) (stop func()) {
	s.mu.Lock()
	s.closed = false
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(s.t.Context())
	var group errgroup.Group
	group.Go(func() error {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				group.Go(func() error { return s.publish(s.t.Context(), away, fmt.Sprintf("N-%d", i)) })
			}
		}
	})
	return func() {
		cancel()
		if err := group.Wait(); err != nil {
			s.t.Error(err)
		}
	}
}

// pay sends a command for the other provider and returns how long its outcome took.
func (s *system) pay(order string) time.Duration {
	s.t.Helper()
	written := make(chan struct{})
	s.mu.Lock()
	s.settled[order] = written
	s.mu.Unlock()
	began := time.Now()
	if err := s.publish(s.t.Context(), other, order); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-written:
	case <-time.After(time.Minute):
		s.t.Fatalf("%s has no outcome", order)
	}
	return time.Since(began)
}

func (s *system) until(what string, condition func() bool) {
	s.t.Helper()
	limit, tick := time.After(15*time.Minute), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-limit:
			s.t.Fatalf("not: %s", what)
		case <-tick.C:
		}
	}
}

// doneOnce counts the payouts that were executed, and those that were more than once.
func (s *system) doneOnce() (done, twice int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for order, n := range s.executed {
		if order[0] == 'W' {
			done++
			if n > 1 {
				twice++
			}
		}
	}
	return done, twice
}
