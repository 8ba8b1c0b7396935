package jetstream_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/queue"
)

func TestParkHoldsTheCommandUntilItsTime(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	r := ref("D-1")
	type arrival struct {
		at time.Time
		m  events.Message
	}
	arrivals := make(chan arrival, 4)
	until := make(chan time.Time, 4)
	handler := func(_ context.Context, m events.Message) queue.Verdict {
		arrivals <- arrival{time.Now(), m}
		if at := <-until; !at.IsZero() {
			return queue.ParkUntil(at)
		}
		return queue.Acknowledge()
	}
	consuming(t, c, 1, handler)
	publish(t, c, r)
	first := receive(t, arrivals, "the command")

	until <- time.Now().Add(time.Hour)
	eventually(t, "the command is parked and nowhere else", func() bool {
		_, err := js.Stream(testContext(t), events.StreamCommands)
		return err == nil && c.Broker().Count.Parked.Load() == 1 && messages(t, js, events.StreamCommands) == 1
	})
	held, err := c.QueuedCommand(testContext(t), r)
	if err != nil || held.Subject != "parked.acme.D-1" || string(held.Data) != "body of D-1" {
		t.Fatalf("held: %+v, %v", held, err)
	}
	due := time.Now().Add(3 * time.Second)
	if err := c.ReleaseParked(testContext(t), r, due); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	second := receive(t, arrivals, "the parked command")
	if second.at.Before(due) {
		t.Errorf("came %v before its time", due.Sub(second.at))
	}

	// Parked again: what the broker added the first time must not hinder the second.
	due = time.Now().Add(time.Second)
	until <- due
	third := receive(t, arrivals, "the command parked again")
	until <- time.Time{}
	if third.at.Before(due) {
		t.Errorf("came %v before its second time", due.Sub(third.at))
	}
	for _, again := range []arrival{second, third} {
		m := again.m
		if m.Subject != first.m.Subject || string(m.Data) != "body of D-1" || m.Header.Get("X-Upstream") != "kept" || m.Header.Get("ce-id") != "c-D-1" {
			t.Errorf("came back as %+v", m)
		}
		if at, err := time.Parse(time.RFC3339Nano, m.Header.Get(events.HeaderRequestedAt)); err != nil || !at.Equal(first.m.StoredAt) {
			t.Errorf("requested at %v (%v), want %v", at, err, first.m.StoredAt)
		}
	}
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
}

func TestParkTwiceHoldsOne(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	r := ref("D-1")
	consuming(t, c, 1, func(context.Context, events.Message) queue.Verdict {
		return queue.ParkUntil(time.Now().Add(time.Hour))
	})
	for n := range int64(2) {
		publish(t, c, r) // a parked command does not refuse it
		eventually(t, "it is parked", func() bool { return c.Broker().Count.Parked.Load() == n+1 })
	}
	eventually(t, "one is left", func() bool { return messages(t, js, events.StreamCommands) == 1 })
	if held, err := c.QueuedCommand(testContext(t), r); err != nil || held.Subject != "parked.acme.D-1" || held.Sequence != 2 {
		t.Errorf("held: %+v, %v, want the first", held, err)
	}
}

func TestDeadLetterSaysEverything(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	consuming(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
		if m.Deliveries == 1 {
			return queue.RetryAfter(0)
		}
		return queue.DeadLetter(events.DeadInvalid, "line one\r\nNats-Rollup: all "+strings.Repeat("x", 600))
	})
	publish(t, c, ref("D-1"))
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	deadLetters, err := c.DeadLetters(testContext(t), 0, 10)
	if err != nil || len(deadLetters) != 1 {
		t.Fatalf("%d dead letters, %v", len(deadLetters), err)
	}
	l := deadLetters[0]
	if l.Reason != events.DeadInvalid || l.Stream != events.StreamCommands || l.Message.Subject != "deposit.requested.acme.D-1" ||
		l.Message.Sequence != 1 || l.Message.Deliveries != 2 || string(l.Message.Data) != "body of D-1" ||
		time.Since(l.At) > time.Hour || l.Message.Header.Get("x-upstream") != "kept" || l.Message.Header.Get("ce-id") != "c-D-1" {
		t.Errorf("got %+v", l)
	}
	if len(l.Detail) != 500 || !strings.HasPrefix(l.Detail, "line one  Nats-Rollup: all xxx") {
		t.Errorf("detail of %d bytes: %q", len(l.Detail), l.Detail)
	}
	raw := lastDeadLetter(t, js)
	if raw.Subject != "deadletter.commands.acme" || raw.Header.Get(events.HeaderDeadSequence) != "1" {
		t.Errorf("stored as %s %v", raw.Subject, raw.Header)
	}
	if s := &c.Broker().Count; s.DeadLetters.Load() != 1 {
		t.Errorf("stats %+v", s)
	}
	if rest, err := c.DeadLetters(testContext(t), l.Sequence, 10); err != nil || len(rest) != 0 {
		t.Errorf("after the last: %v, %v", rest, err)
	}
}

func lastDeadLetter(t *testing.T, js njs.JetStream) *njs.RawStreamMsg {
	t.Helper()
	stream, err := js.Stream(testContext(t), events.StreamDeadLetters)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := stream.GetLastMsgForSubject(testContext(t), "deadletter.>")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The message is not let go before its dead letter is stored.
func TestDeadLetterThatCannotBeStored(t *testing.T) {
	server, _ := start(t)
	cfg := testConfig()
	cfg.AckWait, cfg.PublishTimeout = time.Second, 200*time.Millisecond
	c := connect(t, server.URL(), cfg)
	_, js := foreign(t, server.URL())
	if err := js.DeleteStream(testContext(t), events.StreamDeadLetters); err != nil {
		t.Fatal(err)
	}
	var deliveries atomic.Int64
	consuming(t, c, 1, func(context.Context, events.Message) queue.Verdict {
		deliveries.Add(1)
		return queue.DeadLetter(events.DeadUndecodable, "")
	})
	publish(t, c, ref("D-1"))
	eventually(t, "it is tried again", func() bool { return deliveries.Load() >= 2 })
	if n := messages(t, js, events.StreamCommands); n != 1 {
		t.Fatalf("%d messages in the queue without a dead letter, want 1", n)
	}
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	if n := messages(t, js, events.StreamDeadLetters); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}
