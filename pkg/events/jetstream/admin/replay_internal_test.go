package admin

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
	"payonce/test/natstest"
)

// ParkedOrders goes on where a page ended. The server's pages are of 100,000.
func TestAPageOfSubjectsBeginsAtItsOffset(t *testing.T) {
	_, c := begin(t)
	for i := range 5 {
		if _, err := c.broker.JS.Publish(t.Context(), fmt.Sprintf("parked.acme.D-%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	subjects, total, err := c.broker.Subjects(t.Context(), events.StreamCommands, "parked.acme.*", 2)
	if err != nil || total != 5 || len(subjects) != 3 {
		t.Errorf("%v, %d, %v", subjects, total, err)
	}
}

// The process ended between the publish of a replay and the deletion of its dead letter: the dead letter
// is still there, and to replay it again sends nothing a second time, even after the first was worked.
func TestReplayAfterACrash(t *testing.T) {
	_, c := begin(t)
	ref := payment.Ref{Provider: "acme", Order: "D-1"}
	for name, d := range map[string]broker.Stored{
		"command": {Stream: events.StreamCommands, Message: events.Message{Subject: events.CommandSubject(payment.Deposit, ref), StoredAt: time.Now()}},
		"short":   {Stream: events.StreamCommands, Message: events.Message{Subject: events.ShortSubject(payment.Deposit), StoredAt: time.Now()}},
		"answer":  {Stream: events.StreamCommands, Message: events.Message{Subject: events.ClarificationSubject(ref), StoredAt: time.Now()}},
		"webhook": {Stream: events.StreamWebhooks, Message: events.Message{Subject: events.WebhookSubject(ref), StoredAt: time.Now()}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ack, err := c.broker.Store(ctx, c.broker.DeadLetter(d, events.DeadInvalid, ""))
			if err != nil {
				t.Fatal(err)
			}
			deadLetter, err := c.DeadLetter(ctx, ack.Sequence)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.sendAgain(ctx, deadLetter); err != nil {
				t.Fatal(err)
			}
			if _, err := c.DeadLetter(ctx, ack.Sequence); err != nil {
				t.Fatalf("the dead letter is gone: %v", err)
			}
			m, err := c.stored(ctx, d)
			if err != nil {
				t.Fatalf("nothing was sent: %v", err)
			}
			if _, err := c.broker.Remove(ctx, d.Stream, m); err != nil { // a worker took it
				t.Fatal(err)
			}
			if err := c.Replay(ctx, ack.Sequence); err != nil {
				t.Fatal(err)
			}
			if at, err := c.stored(ctx, d); err == nil {
				t.Errorf("sent again, at sequence %d", at)
			}
			if _, err := c.DeadLetter(ctx, ack.Sequence); err == nil {
				t.Error("the dead letter is still there")
			}
		})
	}
}

// stored returns the sequence of the last message under the subject of d.
func (c *Conn) stored(ctx context.Context, d broker.Stored) (uint64, error) {
	stream, err := c.broker.Stream(ctx, d.Stream)
	if err != nil {
		return 0, err
	}
	raw, err := stream.GetLastMsgForSubject(ctx, d.Message.Subject)
	if err != nil {
		return 0, err
	}
	return raw.Sequence, nil
}

// A command does not become younger as a dead letter, also where that does not say when it was asked for.
func TestAReplayedCommandIsAsOldAsItsDeadLetter(t *testing.T) {
	ctx, c := begin(t)
	ref, stored := payment.Ref{Provider: "acme", Order: "D-1"}, time.Date(2026, 8, 1, 8, 0, 0, 0, time.UTC)
	deadLetter := events.DeadLetter{Sequence: 1, StoredAt: stored, Stream: events.StreamCommands, Message: events.Message{
		Subject: events.CommandSubject(payment.Deposit, ref), Header: events.Header(nats.Header{}), Data: []byte("x"),
	}}
	if err := c.sendAgain(ctx, deadLetter); err != nil {
		t.Fatal(err)
	}
	m, err := c.QueuedCommand(ctx, ref)
	if at, _ := time.Parse(time.RFC3339Nano, m.Header.Get(events.HeaderRequestedAt)); err != nil || !at.Equal(stored) {
		t.Errorf("asked for at %s, want %s; %v", at, stored, err)
	}
}

// begin starts a server and connects to it; the streams are there.
func begin(t *testing.T) (context.Context, *Conn) {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	conn, err := jetstream.Connect(ctx, jetstream.Options{
		URLs: []string{natstest.Start(t).URL()}, Name: t.Name(), Config: streamconfig.Of(config.Defaults()), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := New(conn)
	if err := c.EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx, c
}
