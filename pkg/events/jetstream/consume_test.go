package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

func doneAfter(handled chan<- struct{}) queue.Handler {
	return func(context.Context, events.Message) queue.Verdict {
		handled <- struct{}{}
		return queue.Acknowledge()
	}
}

func TestDoneRemovesTheCommand(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	got := make(chan events.Message, 1)
	consuming(t, c, 4, func(_ context.Context, m events.Message) queue.Verdict {
		got <- m
		return queue.Acknowledge()
	})
	before := time.Now().Add(-time.Minute)
	publish(t, c, ref("D-1"))
	m := receive(t, got, "the command")
	if m.Subject != "deposit.requested.acme.D-1" || string(m.Data) != "body of D-1" || m.Deliveries != 1 ||
		m.Sequence != 1 || m.StoredAt.Before(before) || m.Header.Get("Ce-Id") != "c-D-1" {
		t.Errorf("got %+v", m)
	}
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	if s := &c.Broker().Count; s.Deliveries.Load() != 1 || s.Redeliveries.Load() != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestRetryComesAgainAfterItsDelay(t *testing.T) {
	for _, delay := range []time.Duration{0, 300 * time.Millisecond} {
		t.Run(delay.String(), func(t *testing.T) {
			_, c := start(t)
			times := make(chan time.Time, 2)
			consuming(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
				times <- time.Now()
				if m.Deliveries == 1 {
					return queue.RetryAfter(delay)
				}
				return queue.Acknowledge()
			})
			publish(t, c, ref("D-1"))
			first := receive(t, times, "the first delivery")
			if waited := receive(t, times, "the second delivery").Sub(first); waited < delay {
				t.Errorf("came again after %v, want at least %v", waited, delay)
			}
			if s := &c.Broker().Count; s.Retries.Load() != 1 || s.Redeliveries.Load() != 1 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestPanicIsRetried(t *testing.T) {
	_, c := start(t)
	again := make(chan struct{}, 1)
	consuming(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
		if m.Deliveries == 1 {
			panic("a bug")
		}
		again <- struct{}{}
		return queue.Acknowledge()
	})
	publish(t, c, ref("D-1"))
	receive(t, again, "the second delivery")
	if s := &c.Broker().Count; s.Panics.Load() != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestForwardFromTheIntake(t *testing.T) {
	server, c := start(t)
	nc, js := foreign(t, server.URL())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.ConsumeIntake(ctx, 2, func(_ context.Context, m events.Message) queue.Verdict {
			op, _ := events.SubjectOperation(m.Subject)
			return queue.ForwardTo(events.CommandSubject(op, ref(string(m.Data))))
		})
	}()
	got := make(chan events.Message, 2)
	consuming(t, c, 2, func(_ context.Context, m events.Message) queue.Verdict {
		got <- m
		return queue.Acknowledge()
	})
	for _, op := range payment.Operations() {
		if _, err := js.Publish(ctx, events.ShortSubject(op), []byte("D-"+string(op))); err != nil {
			t.Fatal(err)
		}
		m := receive(t, got, "the forwarded command")
		stored, err := time.Parse(time.RFC3339Nano, m.Header.Get(events.HeaderRequestedAt))
		if m.Subject != events.CommandSubject(op, ref("D-"+string(op))) || err != nil || stored.After(m.StoredAt) {
			t.Errorf("got %+v, %v", m, err)
		}
	}
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	cancel()
	if err := receive(t, ended, "the end of the intake"); err != nil || nc.IsClosed() {
		t.Error(err)
	}
	if s := &c.Broker().Count; s.Forwarded.Load() != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestVerdictThatCannotBeCarriedOutIsRetried(t *testing.T) {
	for name, verdict := range map[string]queue.Verdict{
		"forward outside the streams": queue.ForwardTo("nowhere.at.all"),
		"forward to a wildcard":       queue.ForwardTo("deposit.requested.acme.*"),
		"unknown verdict":             {Kind: 99},
	} {
		t.Run(name, func(t *testing.T) {
			server, _ := start(t)
			cfg := testConfig()
			cfg.AckWait, cfg.PublishTimeout = time.Second, 200*time.Millisecond
			c := connect(t, server.URL(), cfg)
			again := make(chan struct{}, 100) // this AckWait is short
			consuming(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
				if c.Broker().Count.Unsettled.Load() == 0 {
					return verdict
				}
				again <- struct{}{}
				return queue.Acknowledge()
			})
			publish(t, c, ref("D-1"))
			receive(t, again, "the delivery after the failure")
		})
	}
}

// Work takes longer than AckWait. No message may be handled twice, though there are free slots for it,
// and none may wait in the hands of a busy worker.
func TestSlotsAndSignsOfLife(t *testing.T) {
	server, _ := start(t)
	cfg := testConfig()
	cfg.AckWait = 4 * time.Second // a machine that stops between two signs of life must not use it up
	var deliveries, inFlight, most atomic.Int64
	finished := make(chan struct{}, 10)
	handler := func(ctx context.Context, m events.Message) queue.Verdict {
		deliveries.Add(1)
		if now := inFlight.Add(1); now > most.Load() {
			most.Store(now)
		}
		defer inFlight.Add(-1)
		work := time.NewTimer(cfg.AckWait + cfg.AckWait/2)
		defer work.Stop()
		select {
		case <-work.C:
		case <-ctx.Done():
		}
		finished <- struct{}{}
		return queue.Acknowledge()
	}
	first, second := connect(t, server.URL(), cfg), connect(t, server.URL(), cfg)
	const slots = 4
	refs := orders("D", slots+1) // the last is worked while other slots are free
	for _, r := range refs {
		publish(t, first, r)
	}
	consuming(t, first, 1, handler)
	consuming(t, second, slots-1, handler)
	for range refs {
		receive(t, finished, "the end of a handler")
	}
	if deliveries.Load() != int64(len(refs)) || most.Load() > slots {
		t.Errorf("%d deliveries of %d messages, %d at once with %d slots", deliveries.Load(), len(refs), most.Load(), slots)
	}
	if first.Broker().Count.Deliveries.Load() == 0 || second.Broker().Count.Deliveries.Load() == 0 {
		t.Error("one worker took everything")
	}
}

func TestStopWaitsForHandlersAndKeepsTheirWork(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	cause := errors.New("deploy")
	ctx, cancel := context.WithCancelCause(t.Context())
	begun, release := make(chan struct{}, 2), make(chan struct{})
	var seen sync.Map
	ended := make(chan error, 1)
	go func() {
		ended <- c.ConsumeCommands(ctx, "acme", 2, func(ctx context.Context, m events.Message) queue.Verdict {
			begun <- struct{}{}
			<-ctx.Done()
			seen.Store(m.Subject, context.Cause(ctx))
			<-release
			return queue.Acknowledge()
		})
	}()
	for _, r := range orders("D", 2) {
		publish(t, c, r)
		receive(t, begun, "a handler")
	}
	cancel(cause)
	select {
	case err := <-ended:
		t.Fatalf("ended before its handlers: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(release)
	if err := receive(t, ended, "the end"); err != nil {
		t.Fatal(err)
	}
	// The acknowledgements have left; the server takes the messages away in its own time.
	eventually(t, "no acknowledgement is lost", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	for _, r := range orders("D", 2) {
		if got, _ := seen.Load("deposit.requested.acme." + r.Order); got != cause {
			t.Errorf("%s: the cause is %v", r, got)
		}
	}
}

// A worker stops in the middle of a large pull. What was on its way to it goes to the other at once: with
// this AckWait the test would not end otherwise.
func TestStopUnderLoadLosesNothing(t *testing.T) {
	server, _ := start(t)
	cfg := testConfig()
	cfg.AckWait = time.Hour
	first, second := connect(t, server.URL(), cfg), connect(t, server.URL(), cfg)
	_, js := foreign(t, server.URL())
	refs := orders("D", 1000)
	body := make([]byte, 20<<10) // large, so that many are on their way when the worker stops
	for _, r := range refs {
		if _, err := js.PublishAsync(events.CommandSubject(payment.Deposit, r), body); err != nil {
			t.Fatal(err)
		}
	}
	receive(t, js.PublishAsyncComplete(), "the publishes")
	var mu sync.Mutex
	handled := map[string]int{}
	some, all := make(chan struct{}), make(chan struct{})
	handler := func(_ context.Context, m events.Message) queue.Verdict {
		mu.Lock()
		defer mu.Unlock()
		handled[m.Subject]++
		if len(handled) == 1 && handled[m.Subject] == 1 {
			close(some)
		}
		if len(handled) == len(refs) && handled[m.Subject] == 1 {
			close(all)
		}
		return queue.Acknowledge()
	}
	stop := consuming(t, first, len(refs), handler)
	receive(t, some, "some of the work")
	stop()
	consuming(t, second, 16, handler)
	receive(t, all, "the rest")
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	mu.Lock()
	defer mu.Unlock()
	for subject, times := range handled {
		if times != 1 {
			t.Errorf("%s was handled %d times", subject, times)
		}
	}
}

func TestCloseStopsConsumers(t *testing.T) {
	server, _ := start(t)
	c := connect(t, server.URL(), testConfig())
	begun := make(chan struct{}, 1)
	ended := make(chan error, 1)
	causes := make(chan error, 1)
	go func() {
		ended <- c.ConsumeWebhooks(t.Context(), "acme", 1, func(ctx context.Context, m events.Message) queue.Verdict {
			begun <- struct{}{}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return queue.Acknowledge()
		})
	}()
	if err := c.PublishWebhook(testContext(t), events.Outgoing{Subject: events.WebhookSubject(ref("D-1"))}, "1"); err != nil {
		t.Fatal(err)
	}
	receive(t, begun, "the webhook")
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := receive(t, ended, "the end"); err != nil {
		t.Error(err)
	}
	if cause := receive(t, causes, "the cause"); !errors.Is(cause, jetstream.ErrClosed) {
		t.Errorf("the cause is %v", cause)
	}
	if err := c.ConsumeWebhooks(t.Context(), "acme", 1, nil); !errors.Is(err, jetstream.ErrClosed) {
		t.Errorf("consume after Close: %v", err)
	}
	if c.Ready() == nil {
		t.Error("ready after Close")
	}
	if err := c.PublishWebhook(testContext(t), events.Outgoing{Subject: events.WebhookSubject(ref("D-1"))}, "1"); err == nil {
		t.Error("published after Close")
	}
}

func TestConsumeRefuses(t *testing.T) {
	server, c := start(t)
	ctx := testContext(t)
	for name, err := range map[string]error{
		"a wildcard":       c.ConsumeCommands(ctx, "*", 1, nil),
		"two tokens":       c.ConsumeWebhooks(ctx, "a.b", 1, nil),
		"no slots":         c.ConsumeCommands(ctx, "acme", 0, nil),
		"more than fit":    c.ConsumeCommands(ctx, "acme", 10_001, nil),
		"webhooks as well": c.ConsumeWebhooks(ctx, "acme", 50_001, nil),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	_, js := foreign(t, server.URL())
	if err := js.DeleteStream(ctx, events.StreamCommands); err != nil {
		t.Fatal(err)
	}
	if err := c.ConsumeCommands(ctx, "acme", 1, nil); err == nil {
		t.Error("consumes a stream that does not exist")
	}
}

func TestConsumerIsMadeAsDeclared(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	consuming(t, c, 1, doneAfter(make(chan struct{}, 1)))
	eventually(t, "the consumer exists", func() bool {
		consumer, err := js.Consumer(testContext(t), events.StreamCommands, "commands-acme")
		if err != nil {
			return false
		}
		cfg := consumer.CachedInfo().Config
		got := fmt.Sprintf("%v %v %v %v %v %v", cfg.AckWait, cfg.BackOff, cfg.MaxDeliver, cfg.MaxAckPending, cfg.AckPolicy, cfg.FilterSubject)
		if want := "1m0s [] -1 10000 AckExplicit *.requested.acme.*"; got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
		return true
	})
}
