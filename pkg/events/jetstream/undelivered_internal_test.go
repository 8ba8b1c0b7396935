package jetstream

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// queueOne puts a command into the queue and reads it.
func queueOne(ctx context.Context, t *testing.T, c *Conn) (njs.Stream, *njs.RawStreamMsg) {
	t.Helper()
	ack, err := c.js.Publish(ctx, "deposit.requested.acme.D-1", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.stream(ctx, events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := stream.GetMsg(ctx, ack.Sequence)
	if err != nil {
		t.Fatal(err)
	}
	return stream, raw
}

// What the broker does not take again stays where it is: nothing is deleted before what replaces it is stored.
func TestNothingIsTakenAwayThatCannotBeKept(t *testing.T) {
	for name, move := range map[string]func(context.Context, *Conn, *njs.RawStreamMsg) error{
		"undelivered": func(ctx context.Context, c *Conn, raw *njs.RawStreamMsg) error { return c.putBack(ctx, raw) },
		"orphaned": func(ctx context.Context, c *Conn, raw *njs.RawStreamMsg) error {
			stream, err := c.stream(ctx, events.StreamDeadLetters)
			if err != nil {
				return nil
			}
			config := stream.CachedInfo().Config
			config.MaxMsgSize = 1 // the body alone would be cut
			if _, err := c.js.UpdateStream(ctx, config); err != nil {
				return nil
			}
			_, err = c.deadLetterOrphan(ctx, raw)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, c := begin(t, DefaultConfig(), time.Now)
			stream, raw := queueOne(ctx, t, c)
			tooBig := *raw
			tooBig.Data = make([]byte, c.nc.MaxPayload()+1)
			if err := move(ctx, c, &tooBig); err == nil {
				t.Error("no error")
			}
			if _, err := stream.GetMsg(ctx, raw.Sequence); err != nil {
				t.Errorf("the command is lost: %v", err)
			}
		})
	}
}

// Two processes find the same command.
func TestConcurrentWritersPutBackOnce(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	stream, raw := queueOne(ctx, t, c)
	for range 2 {
		if err := c.putBack(ctx, raw); err != nil {
			t.Fatal(err)
		}
	}
	info, err := stream.Info(ctx)
	if err != nil || info.State.Msgs != 1 || info.State.LastSeq != raw.Sequence+1 {
		t.Errorf("%+v, %v", info.State, err)
	}
}

// Only the broker's word that a message is gone counts as one that it is.
func TestAMessageThatMayBeThereIsNotGone(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	_, raw := queueOne(ctx, t, c)
	silent, cancel := context.WithCancel(ctx)
	cancel()
	if removed, err := c.remove(silent, events.StreamCommands, raw.Sequence); removed || err == nil {
		t.Errorf("without an answer: removed %v, %v", removed, err)
	}
}

// A command does not become younger as a dead letter, also where that does not say when it was asked for.
func TestAReplayedCommandIsAsOldAsItsDeadLetter(t *testing.T) {
	ctx, c := begin(t, DefaultConfig(), time.Now)
	ref, stored := payment.Ref{Provider: "acme", Order: "D-1"}, time.Date(2026, 8, 1, 8, 0, 0, 0, time.UTC)
	deadLetter := DeadLetter{Sequence: 1, StoredAt: stored, Stream: events.StreamCommands, Message: events.Message{
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
