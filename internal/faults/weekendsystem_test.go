package faults

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/internal/natstest"
	"payonce/internal/testenv"
	"payonce/pkg/connectors"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

const (
	away  = "away-kr"  // wants to be left alone until Monday
	other = "other-kr" // must not notice
)

// weekend is one nats-server with one worker in this process. The providers are in memory, because they are not what is asked about.
type weekend struct {
	*testenv.System

	mu       sync.Mutex
	closed   bool
	executed map[string]int           // by order, what the provider away executed
	settled  map[string]chan struct{} // closed when the outcome stands in the log
}

func startWeekend(t testing.TB) *weekend {
	t.Helper()
	s := &weekend{closed: true, executed: map[string]int{}, settled: map[string]chan struct{}{}, System: newLog(t, natstest.StartSynced(t))}
	engine := newEngine(t, worker.Options{
		Log: toldLog{s.Log, s}, Now: time.Now,
		Connectors: connectors.NewRegistry(map[string]connectors.Connector{away: memoryProvider{s, away}, other: memoryProvider{s, other}}),
	})
	inBackground(t, func(ctx context.Context) error { return engine.Run(ctx, s.Log, func(string) int { return 16 }) })
	return s
}

// toldLog tells when an outcome is written.
type toldLog struct {
	*jetstream.Conn
	s *weekend
}

func (l toldLog) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
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

// memoryProvider executes everything at once; away does not take anything while it is closed, and says so.
type memoryProvider struct {
	s    *weekend
	name string
}

func (p memoryProvider) Submit(_ context.Context, cmd payment.Command) (payment.Observation, error) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if p.name == away && p.s.closed {
		return payment.Observation{}, &connectors.Error{Class: connectors.Throttled, Code: payment.ReasonClosed, Evidence: "closed", RetryAfter: 60 * time.Hour}
	}
	p.s.executed[cmd.Order]++
	return payment.Observation{Kind: payment.Paid}, nil
}

func (p memoryProvider) Lookup(context.Context, connectors.Query) (payment.Observation, error) {
	return payment.Observation{Kind: payment.Unknown}, nil
}

func (p memoryProvider) Traits() connectors.Traits {
	return connectors.Traits{
		Kind: p.name, Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 64, SettlingDelay: 5 * time.Minute,
	}
}

// park sends payouts for the provider that is away and waits until all are parked.
func (s *weekend) park(n int) {
	s.T.Helper()
	forEach(s.T, n, "W", func(ctx context.Context, order string) error { return publish(ctx, s.Log, payoutOf(away, order)) })
	until(s.T, "all are parked", func() bool { return s.Log.Stats().Parked >= uint64(n) })
}

// open lets the provider take payouts and releases what is parked, spread over a time.
func (s *weekend) open(over time.Duration) {
	s.T.Helper()
	s.mu.Lock()
	s.closed = false
	s.mu.Unlock()
	refs, err := s.Log.ParkedOrders(s.T.Context(), away)
	if err != nil {
		s.T.Fatal(err)
	}
	service := operator.Service{Log: s.Log, Queue: s.Log, Now: time.Now}
	began := time.Now()
	group, ctx := errgroup.WithContext(s.T.Context())
	group.SetLimit(8)
	for i, ref := range refs {
		group.Go(func() error {
			_, err := service.Release(ctx, ref, operator.Person{Name: "kim", Why: "Monday"}, began.Add(over/time.Duration(len(refs))*time.Duration(i)))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		s.T.Error(err)
	}
}

// trickle opens the provider and sends new payouts for it at a steady pace until it is stopped.
func (s *weekend) trickle(pace time.Duration) (stop func()) {
	s.mu.Lock()
	s.closed = false
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(s.T.Context())
	var group errgroup.Group
	group.Go(func() error {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				group.Go(func() error { return publish(s.T.Context(), s.Log, payoutOf(away, fmt.Sprintf("N-%d", i))) })
			}
		}
	})
	return func() {
		cancel()
		if err := group.Wait(); err != nil {
			s.T.Error(err)
		}
	}
}

// pay sends a command for the other provider and returns how long its outcome took.
func (s *weekend) pay(order string) time.Duration {
	s.T.Helper()
	written := make(chan struct{})
	s.mu.Lock()
	s.settled[order] = written
	s.mu.Unlock()
	began := time.Now()
	if err := publish(s.T.Context(), s.Log, payoutOf(other, order)); err != nil {
		s.T.Fatal(err)
	}
	select {
	case <-written:
	case <-time.After(time.Minute):
		s.T.Fatalf("%s has no outcome", order)
	}
	return time.Since(began)
}

// doneOnce counts the payouts that were executed, and those that were more than once.
func (s *weekend) doneOnce() (done, twice int) {
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
