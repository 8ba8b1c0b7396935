package admin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// toEndpoints is a server with the streams for some endpoints, all of which want settled payments.
func toEndpoints(t *testing.T, edit func(*jetstream.Config), names ...string) *admin.Conn {
	t.Helper()
	t.Parallel()
	cfg := jetstreamtest.Config()
	for _, name := range names {
		cfg.Endpoints = append(cfg.Endpoints, jetstream.Endpoint{Name: name, Statuses: []payment.Status{payment.Settled}})
	}
	if edit != nil {
		edit(&cfg)
	}
	return jetstreamtest.Connect(t, natstest.Start(t).URL(), cfg)
}

// sending runs ConsumeEndpoint until the test ends.
func sending(t *testing.T, c *admin.Conn, name string, slots int, handler queue.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.ConsumeEndpoint(ctx, name, slots, handler) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := jetstreamtest.Receive(t, ended, "the end of ConsumeEndpoint"); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func settle(t *testing.T, c *admin.Conn, prefix string, n int) {
	t.Helper()
	for _, ref := range jetstreamtest.Orders(prefix, n) {
		jetstreamtest.Walk(t, c, ref, payment.Submitting, payment.Settled)
	}
}

// Events that an endpoint does not take hold up no others, although only two may be in work at the broker: each waits apart and
// comes again at its time, under its own subject and body, with its attempts counted.
func TestPostponedEventsHoldUpNoOthers(t *testing.T) {
	c := toEndpoints(t, func(cfg *jetstream.Config) { cfg.MaxAckPending = 2 }, "shop")
	var mu sync.Mutex
	seen := map[string][]int{} // attempts before, by event
	all := make(chan struct{}, 1000)
	sending(t, c, "shop", 2, func(_ context.Context, m events.Message) queue.Verdict {
		attempts, since := events.EndpointAttempts(m.Header)
		if attempts > 0 && (since.IsZero() || !strings.HasPrefix(m.Subject, "endpoint.due.shop.acme.E-")) {
			t.Errorf("%s: first attempt %s", m.Subject, since)
		}
		p, err := events.DecodePayment(m.Data)
		if err != nil || p.Status != payment.Settled || m.Header.Get("ce-type") != "payment.settled" {
			t.Errorf("%s: %+v, %v", m.Subject, p, err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[m.Header.Get("ce-id")] = append(seen[m.Header.Get("ce-id")], attempts)
		all <- struct{}{}
		if attempts < 2 {
			return queue.ParkUntil(time.Now().Add(time.Second))
		}
		return queue.Acknowledge()
	})
	const n = 20
	settle(t, c, "E", n)
	for range 3 * n {
		jetstreamtest.Receive(t, all, "an event")
	}
	mu.Lock()
	defer mu.Unlock()
	for id, attempts := range seen {
		if fmt.Sprint(attempts) != "[0 1 2]" {
			t.Errorf("%s: attempts %v", id, attempts)
		}
	}
	if len(seen) != n {
		t.Errorf("%d events, want %d", len(seen), n)
	}
}

// One endpoint answers nothing, and the other gets every event all the same: the first still holds what it was given first.
func TestOneEndpointDelaysNoOther(t *testing.T) {
	c := toEndpoints(t, nil, "dead", "shop")
	release, held := make(chan struct{}), atomic.Int64{}
	sending(t, c, "dead", 2, func(ctx context.Context, _ events.Message) queue.Verdict {
		held.Add(1)
		select {
		case <-release:
		case <-ctx.Done():
		}
		return queue.Acknowledge()
	})
	defer close(release)
	const n = 60
	got := make(chan struct{}, n)
	sending(t, c, "shop", 2, func(context.Context, events.Message) queue.Verdict {
		got <- struct{}{}
		return queue.Acknowledge()
	})
	settle(t, c, "E", n)
	for range n {
		jetstreamtest.Receive(t, got, "an event for the shop")
	}
	if held.Load() > 2 {
		t.Errorf("the dead endpoint was given %d events at 2 slots", held.Load())
	}
}

// What an endpoint did not take in all its time is a dead letter that names it; replayed, it is sent again from the first attempt.
func TestDeadLetterOfAnEndpoint(t *testing.T) {
	c := toEndpoints(t, nil, "shop")
	dead, again := atomic.Bool{}, make(chan int, 8)
	dead.Store(true)
	sending(t, c, "shop", 1, func(_ context.Context, m events.Message) queue.Verdict {
		attempts, _ := events.EndpointAttempts(m.Header)
		switch {
		case attempts == 0 && dead.Load():
			return queue.ParkUntil(time.Now())
		case dead.Load():
			return queue.DeadLetter(events.DeadEndpoint, "HTTP 503")
		}
		again <- attempts
		return queue.Acknowledge()
	})
	settle(t, c, "E", 1)
	l := jetstreamtest.OnlyDeadLetter(t, c)
	if l.Reason != events.DeadEndpoint || l.Stream != events.StreamEndpoints || !strings.HasPrefix(l.Message.Subject, "endpoint.due.shop.acme.E-0.") {
		t.Fatalf("%+v", l)
	}
	if s, err := c.EndpointState(jetstreamtest.Context(t), "shop"); err != nil || s.DeadLetters != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	dead.Store(false)
	if err := c.Replay(jetstreamtest.Context(t), l.Sequence); err != nil {
		t.Fatal(err)
	}
	if attempts := jetstreamtest.Receive(t, again, "the event"); attempts != 0 {
		t.Errorf("it begins with %d attempts", attempts)
	}
}

// A disabled endpoint gets nothing, of the log nor of what is due again, and loses nothing. That it is disabled is no difference
// of the streams, for which a worker would not start.
func TestDisabledEndpointLosesNothing(t *testing.T) {
	c := toEndpoints(t, nil, "shop")
	ctx := jetstreamtest.Context(t)
	if err := c.DisableEndpoint(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	if differences, err := c.CheckStreams(ctx); err != nil || len(differences) > 0 {
		t.Errorf("%v, %v", differences, err)
	}
	var enabled atomic.Bool
	got := make(chan string, 16)
	sending(t, c, "shop", 1, func(_ context.Context, m events.Message) queue.Verdict {
		if !enabled.Load() {
			t.Errorf("%s, and the endpoint is disabled", m.Subject)
		}
		got <- m.Subject
		return queue.Acknowledge()
	})
	settle(t, c, "E", 2)
	var first events.Message
	err := c.ReadEvents(ctx, "payment.settled.>", time.Time{}, func(m events.Message) (bool, error) { first = m; return false, nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SendAgain(ctx, "shop", "replay-1", first); err != nil {
		t.Fatal(err)
	}
	s, err := c.EndpointState(ctx, "shop")
	if err != nil || !s.Disabled || s.New != 2 || s.Due != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if b, err := c.EndpointBacklog(ctx, "shop"); err != nil || b != (events.EndpointBacklog{New: 2, Due: 1, Disabled: true}) {
		t.Errorf("a notifier sees %+v, %v", b, err)
	}
	enabled.Store(true)
	if err := c.EnableEndpoint(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	subjects := map[string]bool{}
	for range 3 {
		subjects[jetstreamtest.Receive(t, got, "an event")] = true
	}
	if len(subjects) != 3 { // two of the log, and one of them sent again
		t.Errorf("%v", subjects)
	}
}

// An endpoint that is disabled while its events are sent gets no more; what was being waited for goes back to the broker.
func TestDisablingStopsANotifier(t *testing.T) {
	c := toEndpoints(t, nil, "shop")
	ended := make(chan struct{}, 16)
	began := make(chan struct{}, 16)
	stop := sending(t, c, "shop", 1, func(ctx context.Context, _ events.Message) queue.Verdict {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return queue.RetryAfter(0)
	})
	settle(t, c, "E", 1)
	jetstreamtest.Receive(t, began, "the event")
	if err := c.DisableEndpoint(jetstreamtest.Context(t), "shop"); err != nil {
		t.Fatal(err)
	}
	jetstreamtest.Receive(t, ended, "the end of the handler")
	jetstreamtest.Eventually(t, "the event is back", func() bool {
		s, err := c.EndpointState(jetstreamtest.Context(t), "shop")
		return err == nil && s.New == 1
	})
	stop()
	if len(began) > 0 {
		t.Error("it was given out again")
	}
}

// A ledger is rewound to the start, to a sequence and to a time, and reads on from there; its definition stays as it was.
func TestRewindLedger(t *testing.T) {
	t.Parallel()
	cfg := jetstreamtest.Config()
	cfg.Ledgers = []string{"accounting"}
	server := natstest.Start(t)
	c := jetstreamtest.Connect(t, server.URL(), cfg)
	ctx := jetstreamtest.Context(t)
	if _, err := c.LedgerState(ctx, "other"); !errors.Is(err, admin.ErrNotCreated) {
		t.Errorf("%v, want %v", err, admin.ErrNotCreated)
	}
	settle(t, c, "E", 4) // sequences 1 to 8, outcomes at 2, 4, 6 and 8
	_, js := jetstreamtest.Foreign(t, server.URL())
	read := func(want ...uint64) {
		t.Helper()
		consumer, err := js.Consumer(ctx, events.StreamPayments, admin.LedgerConsumer("accounting"))
		if err != nil {
			t.Fatal(err)
		}
		for _, sequence := range want {
			m, err := consumer.Next()
			if err != nil {
				t.Fatal(err)
			}
			meta, err := m.Metadata()
			if err != nil || meta.Sequence.Stream != sequence {
				t.Fatalf("sequence %d, %v, want %d", meta.Sequence.Stream, err, sequence)
			}
			if err := m.DoubleAck(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	read(2, 4, 6, 8)
	if s, err := c.LedgerState(ctx, "accounting"); err != nil || s.ReadUpTo != 8 || s.Unread != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	for _, from := range []uint64{1, 5} {
		if err := c.RewindLedger(ctx, "accounting", from); err != nil {
			t.Fatal(err)
		}
		if from == 1 {
			read(2, 4)
		}
		read(6, 8)
	}
	var at time.Time
	if err := c.ReadLog(ctx, 6, func(m events.Message) (bool, error) { at = m.StoredAt; return false, nil }); err != nil {
		t.Fatal(err)
	}
	if first, err := c.FirstSince(ctx, at); err != nil || first != 6 {
		t.Errorf("first since %s is %d, %v", at, first, err)
	}
	if first, err := c.FirstSince(ctx, time.Now().Add(time.Hour)); err != nil || first != 9 {
		t.Errorf("first of the future is %d, %v", first, err)
	}
	if differences, err := c.CheckStreams(ctx); err != nil || len(differences) > 0 {
		t.Errorf("%v, %v", differences, err)
	}
}

// What waits for another attempt is counted, with the time of the earliest; an endpoint that is not there is said to be so.
func TestStateTellsTheNextAttempt(t *testing.T) {
	c := toEndpoints(t, nil, "shop")
	earliest := time.Now().Add(time.Hour).Truncate(time.Second)
	var sent atomic.Int32
	sending(t, c, "shop", 1, func(context.Context, events.Message) queue.Verdict {
		return queue.ParkUntil(earliest.Add(time.Duration(3-sent.Add(1)) * time.Hour))
	})
	settle(t, c, "W", 3)
	jetstreamtest.Eventually(t, "three events wait", func() bool {
		s, err := c.EndpointState(t.Context(), "shop")
		return err == nil && s.Waiting == 3
	})
	s, err := c.EndpointState(t.Context(), "shop")
	if err != nil || s.NextAt.Before(earliest) || s.NextAt.After(earliest.Add(2*time.Second)) || s.New != 0 || s.Due != 0 || s.Disabled || s.DeadLetters != 0 {
		t.Errorf("%+v, %v; the next attempt is at %s", s, err, earliest)
	}
	if _, err := c.EndpointState(t.Context(), "none"); !errors.Is(err, admin.ErrNotCreated) {
		t.Errorf("an endpoint that is not there: %v", err)
	}
	if err := errors.Join(c.DisableEndpoint(t.Context(), "none"), c.EnableEndpoint(t.Context(), "none")); err == nil {
		t.Error("an endpoint that is not there is disabled")
	}
	if err := c.SendAgain(t.Context(), "shop", "replay", events.Message{Subject: "payment"}); err == nil {
		t.Error("a message that names no payment is sent again")
	}
}
