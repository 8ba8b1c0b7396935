package jetstream_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/natstest"
)

var waiting = []payment.Status{payment.Pending, payment.InDoubt}

// timing runs ConsumePayments for acme until the returned function is called or the test ends.
func timing(t *testing.T, c *admin.Conn, timer string, handler queue.Handler) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.ConsumePayments(ctx, "acme", timer, waiting, 4, handler) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := receive(t, done, "the end of ConsumePayments"); err != nil {
				t.Errorf("ConsumePayments: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// seen hands on the subjects that a handler gets, and is done with each.
func seen() (chan string, queue.Handler) {
	subjects := make(chan string, 1000)
	return subjects, func(_ context.Context, m events.Message) queue.Verdict {
		subjects <- m.Subject
		return queue.Acknowledge()
	}
}

func TestTimersReadWhatIsOpenFromTheBeginning(t *testing.T) {
	_, c := start(t)
	walk(t, c, ref("D-1"), payment.Submitting, payment.Pending, payment.Settled)
	walk(t, c, payment.Ref{Provider: "acme-2", Order: "D-1"}, payment.Submitting, payment.Pending)
	walk(t, c, ref("D-2"), payment.Submitting, payment.InDoubt, payment.Pending)
	want := []string{"payment.pending.acme.D-1", "payment.in_doubt.acme.D-2", "payment.pending.acme.D-2", "payment.pending.acme.D-3"}
	for _, timer := range []string{"1", "threshold"} { // each gets all
		subjects, handler := seen()
		timing(t, c, timer, handler)
		if timer == "1" {
			walk(t, c, ref("D-3"), payment.Pending)
		}
		var got []string
		for range want {
			got = append(got, receive(t, subjects, "an event"))
		}
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("timer %s got %v, want %v", timer, got, want)
		}
	}
}

// A timer remembers where it was, and readers of the same timer share its events.
func TestATimerGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	first, second := connect(t, server.URL(), testConfig()), connect(t, server.URL(), testConfig())
	subjects, handler := seen()
	stop := timing(t, first, "1", handler)
	walk(t, first, ref("D-0"), payment.Pending)
	receive(t, subjects, "the first event")
	stop()
	timing(t, first, "1", handler)
	timing(t, second, "1", handler)
	got := map[string]int{}
	for n := range 20 {
		walk(t, second, ref(fmt.Sprintf("D-%d", n+1)), payment.Pending)
	}
	for range 20 {
		got[receive(t, subjects, "an event")]++
	}
	if len(got) != 20 || got["payment.pending.acme.D-0"] != 0 {
		t.Errorf("got %v", got)
	}
}

// The oldest events are not due yet, more than may wait at the server, for longer than what else counts as a
// stall. Then all become due, and each is worked on once, oldest first.
func TestATimerThatWaitsIsNotStalled(t *testing.T) {
	t.Parallel()
	const events300 = 300
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.StallAfter = 200 * time.Millisecond
	c := connect(t, server.URL(), cfg)
	for n := range events300 {
		walk(t, c, ref(fmt.Sprintf("D-%d", n)), payment.Pending)
	}
	due := make(chan struct{})
	var mu sync.Mutex
	waits, done := 0, map[uint64]int{}
	var last, backwards uint64
	timing(t, c, "1", func(_ context.Context, m events.Message) queue.Verdict {
		mu.Lock()
		defer mu.Unlock()
		select {
		case <-due:
		default:
			waits++
			return queue.RetryAfter(3 * time.Second << min(max(m.Deliveries-2, 0), 3)) // longer where 256 are not delivered in that time
		}
		done[m.Sequence]++
		backwards = max(backwards, last-min(last, m.Sequence))
		last = m.Sequence
		return queue.Acknowledge()
	})
	_, js := foreign(t, server.URL())
	var info *njs.ConsumerInfo
	eventually(t, "as many wait as may", func() bool {
		handle, err := js.Consumer(testContext(t), events.StreamPayments, "overdue-acme-1")
		if err != nil {
			return false // it is not made yet
		}
		info = handle.CachedInfo()
		return info.NumAckPending == 256
	})
	mu.Lock()
	before := waits
	mu.Unlock()
	stalls := c.Broker().Count.Stalls.Load() // a slow machine may have had some on the way here
	eventually(t, "the oldest came again", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return waits > before+256
	})
	if info.NumPending != events300-256 || info.Config.InactiveThreshold == 0 {
		t.Errorf("%d behind them; forgotten after %s", info.NumPending, info.Config.InactiveThreshold)
	}
	if s := &c.Broker().Count; s.Stalls.Load() != stalls || c.Ready() != nil {
		t.Errorf("%d stalls, then %+v, %v", stalls, s, c.Ready())
	}
	close(due)
	eventually(t, "all events", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(done) == events300
	})
	mu.Lock()
	defer mu.Unlock()
	for seq, n := range done {
		if n != 1 {
			t.Errorf("event %d was done %d times", seq, n)
		}
	}
	if backwards > 2*256 {
		t.Errorf("an event came %d after a younger one", backwards)
	}
}

// A timer that an operator deletes reads the log again.
func TestADeletedTimerIsMadeAgain(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.StallAfter = 200 * time.Millisecond
	c := connect(t, server.URL(), cfg)
	subjects, handler := seen()
	stop := timing(t, c, "1", handler)
	walk(t, c, ref("D-1"), payment.Pending)
	receive(t, subjects, "the first event")
	_, js := foreign(t, server.URL())
	if err := js.DeleteConsumer(testContext(t), events.StreamPayments, "overdue-acme-1"); err != nil {
		t.Fatal(err)
	}
	walk(t, c, ref("D-2"), payment.Pending)
	for got := ""; got != "payment.pending.acme.D-2"; { // it was made again, and begins at the beginning
		got = receive(t, subjects, "the second event")
	}
	stop()
	if s := &c.Broker().Count; s.Resubscribes.Load() == 0 {
		t.Errorf("stats %+v", s)
	}
}

// Whatever a handler decides, the log keeps its events.
func TestTimersLeaveTheLogAlone(t *testing.T) {
	server, c := start(t)
	walk(t, c, ref("D-1"), payment.Submitting, payment.Pending)
	handled := make(chan struct{}, 10)
	timing(t, c, "1", func(context.Context, events.Message) queue.Verdict {
		handled <- struct{}{}
		return queue.DeadLetter(events.DeadUndecodable, "for a test")
	})
	receive(t, handled, "the event")
	_, js := foreign(t, server.URL())
	eventually(t, "the dead letter", func() bool { return messages(t, js, events.StreamDeadLetters) == 1 })
	if p, _, err := c.Last(testContext(t), ref("D-1")); err != nil || p.Status != payment.Pending || messages(t, js, events.StreamPayments) != 2 {
		t.Errorf("%s, %v", p.Status, err)
	}
	deadLetters, err := c.DeadLetters(testContext(t), 0, 10)
	if err != nil || len(deadLetters) != 1 || deadLetters[0].Stream != events.StreamPayments {
		t.Errorf("%+v, %v", deadLetters, err)
	}
}

func TestTimersHaveNames(t *testing.T) {
	_, c := start(t)
	for name, call := range map[string]func() error{
		"provider":  func() error { return c.ConsumePayments(t.Context(), "a.b", "1", waiting, 1, nil) },
		"timer":     func() error { return c.ConsumePayments(t.Context(), "acme", "a-1", waiting, 1, nil) },
		"no timer":  func() error { return c.ConsumePayments(t.Context(), "acme", "", waiting, 1, nil) },
		"no status": func() error { return c.ConsumePayments(t.Context(), "acme", "1", nil, 1, nil) },
		"status":    func() error { return c.ConsumePayments(t.Context(), "acme", "1", []payment.Status{"*"}, 1, nil) },
		"no slots":  func() error { return c.ConsumePayments(t.Context(), "acme", "1", waiting, 0, nil) },
	} {
		if call() == nil {
			t.Errorf("a bad %s is taken", name)
		}
	}
}
