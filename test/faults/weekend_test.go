package faults

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/connectors"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

var (
	weekendOf   = flag.Int("measure", 0, "measure with so many parked payouts, see docs/reliability.md; 0 only tries it out")
	releaseOver = flag.Duration("over", 10*time.Minute, "with -measure: release them over this time")
	rounds      = flag.Int("rounds", 10, "so many runs of each that is compared")
)

func TestAParkedWeekendIsReleasedOnce(t *testing.T) {
	const payouts = 1000
	s := startWeekend(t)
	s.park(payouts)
	if done, _ := s.doneOnce(); done != 0 {
		t.Fatalf("%d were executed while the provider was away", done)
	}
	s.pay("O-1") // no other payment waits for Monday
	s.open(3 * time.Second)
	until(t, "all are executed", func() bool { done, _ := s.doneOnce(); return done == payouts })
	until(t, "nothing is parked", func() bool {
		refs, err := s.Log.ParkedOrders(t.Context(), "")
		return err == nil && len(refs) == 0 && s.Log.Broker().Count.InFlight.Load() == 0
	})
	if done, twice := s.doneOnce(); done != payouts || twice != 0 {
		t.Errorf("%d executed, %d more than once", done, twice)
	}
}

// TestMeasureWeekend compares, in pairs of runs, how long a command of another provider takes on a system
// that holds the parked payouts, and on one that holds none; and at the opening also on one that gets new
// payouts at the same rate, which shows what comes from their having been parked.
func TestMeasureWeekend(t *testing.T) {
	if *weekendOf == 0 { // only to see that the measurement itself works
		*weekendOf, *releaseOver, *rounds, eachRun = 100, time.Second, 2, 20
	}
	empty, full := startWeekend(t), startWeekend(t)
	began := time.Now()
	full.park(*weekendOf)
	t.Logf("%d payouts parked in %s", *weekendOf, time.Since(began).Round(time.Second))
	t.Log(compare(empty, full, "parked"))
	began = time.Now()
	full.open(*releaseOver)
	first, _ := full.doneOnce()
	t.Logf("all released over %s, in %s", *releaseOver, time.Since(began).Round(time.Second))
	began = time.Now()
	t.Log(compare(empty, full, "opening"))
	busy := startWeekend(t)
	stop := busy.trickle(*releaseOver / time.Duration(*weekendOf))
	t.Log(compare(busy, full, "opening-as-many-new"))
	stop()
	done, twice := full.doneOnce()
	t.Logf("meanwhile %.0f payouts a second were executed, %d in all, %d more than once", float64(done-first)/time.Since(began).Seconds(), done, twice)
	if twice > 0 {
		t.Error("executed more than once")
	}
}

// each is how many payments make a run.
var eachRun = 200

// compare runs so many payments a round on the one and on the other, in turn. The baseline is the empty system against
// itself: the odd runs against the even ones.
func compare(empty, full *weekend, name string) string {
	var with, without, odd, even []time.Duration
	for round := range *rounds {
		a, b := weekendRun(empty, fmt.Sprintf("%s-a-%d", name, round)), weekendRun(full, fmt.Sprintf("%s-b-%d", name, round))
		without, with = append(without, a...), append(with, b...)
		if round%2 == 0 {
			even = append(even, a...)
		} else {
			odd = append(odd, a...)
		}
	}
	return fmt.Sprintf("%s: without p50 %s p99 %s, with p50 %s p99 %s, ratio p50 %.2f p99 %.2f, baseline p50 %.2f p99 %.2f (%d payments each)",
		name, percentile(without, 50), percentile(without, 99), percentile(with, 50), percentile(with, 99), ratio(with, without, 50), ratio(with, without, 99),
		ratio(odd, even, 50), ratio(odd, even, 99), len(with))
}

func weekendRun(s *weekend, name string) []time.Duration {
	var took []time.Duration
	for i := range eachRun {
		took = append(took, s.pay(fmt.Sprintf("%s-%d", name, i)))
	}
	return took
}

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
	settled  map[string]chan struct{} // closed when the outcome is in the log
}

func startWeekend(t testing.TB) *weekend {
	t.Helper()
	s := &weekend{closed: true, executed: map[string]int{}, settled: map[string]chan struct{}{}, System: newLog(t, natstest.StartSynced(t))}
	engine := newEngine(t, worker.Options{
		Log: toldLog{s.Log.Conn, s}, Now: time.Now,
		Connectors: connectors.NewRegistry(map[string]connectors.Connector{away: memoryProvider{s, away}, other: memoryProvider{s, other}}),
	})
	inBackground(t, func(ctx context.Context) error { return engine.Run(ctx, s.Log, func(string) int { return 16 }) })
	return s
}

// toldLog reports when an outcome is written.
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
	until(s.T, "all are parked", func() bool { return s.Log.Broker().Count.Parked.Load() >= int64(n) })
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
