package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
)

func TestReplayOfACommand(t *testing.T) {
	_, c := start(t)
	arrivals := make(chan events.Message, 8)
	verdict := make(chan queue.Verdict, 8)
	consuming(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
		arrivals <- m
		return <-verdict
	})
	publish(t, c, ref("D-1"))
	first := receive(t, arrivals, "the command")
	verdict <- queue.DeadLetter(events.DeadInvalid, "why")
	deadLetter := jetstreamtest.OnlyDeadLetter(t, c)
	if one, err := c.DeadLetter(testContext(t), deadLetter.Sequence); err != nil || one.Reason != events.DeadInvalid || !one.StoredAt.Equal(deadLetter.StoredAt) {
		t.Fatalf("%+v, %v", one, err)
	}

	eventually(t, "the command leaves the queue", func() bool {
		_, err := c.QueuedCommand(testContext(t), ref("D-1"))
		return errors.Is(err, events.ErrNotQueued)
	})

	// Another command of the order is in the queue: the guard holds, and the dead letter stays.
	publish(t, c, ref("D-1"))
	receive(t, arrivals, "the other command")
	if err := c.Replay(testContext(t), deadLetter.Sequence); !errors.Is(err, events.ErrQueued) {
		t.Fatalf("replayed beside a queued command: %v", err)
	}
	verdict <- queue.Acknowledge()
	jetstreamtest.OnlyDeadLetter(t, c)

	eventually(t, "it is replayed", func() bool {
		err := c.Replay(testContext(t), deadLetter.Sequence)
		if err != nil && !errors.Is(err, events.ErrQueued) { // the acknowledgement is on its way
			t.Fatal(err)
		}
		return err == nil
	})
	again := receive(t, arrivals, "the replayed command")
	verdict <- queue.Acknowledge()
	if again.Subject != first.Subject || string(again.Data) != string(first.Data) || again.Header.Get("x-upstream") != "kept" ||
		again.Header.Get(events.HeaderReplayOf) != "1" {
		t.Errorf("came back as %+v", again)
	}
	if at, err := time.Parse(time.RFC3339Nano, again.Header.Get(events.HeaderRequestedAt)); err != nil || !at.Equal(first.StoredAt) {
		t.Errorf("requested at %v, want %v, %v", at, first.StoredAt, err)
	}
	for name := range again.Header {
		if strings.HasPrefix(name, "Payonce-Dead-") {
			t.Errorf("header %s came back", name)
		}
	}
	if err := c.Replay(testContext(t), deadLetter.Sequence); !errors.Is(err, events.ErrNoDeadLetter) {
		t.Errorf("replayed twice: %v", err)
	}
	if err := c.DropDeadLetter(testContext(t), deadLetter.Sequence); err != nil {
		t.Errorf("dropped after it was gone: %v", err)
	}
}

// The same webhook under its own id would be a duplicate for two minutes.
func TestReplayOfAWebhook(t *testing.T) {
	_, c := start(t)
	arrivals := make(chan events.Message, 8)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.ConsumeWebhooks(ctx, "acme", 1, func(_ context.Context, m events.Message) queue.Verdict {
			arrivals <- m
			return queue.DeadLetter(events.DeadUnknownOrder, "")
		})
	}()
	out := events.Outgoing{Subject: events.WebhookSubject(ref("D-1")), Header: events.Header{"Payonce-Http-X-Sign": {"s"}}, Data: []byte("hook")}
	if err := c.PublishWebhook(ctx, out, "hash"); err != nil {
		t.Fatal(err)
	}
	receive(t, arrivals, "the webhook")
	deadLetter := jetstreamtest.OnlyDeadLetter(t, c)
	if err := c.Replay(testContext(t), deadLetter.Sequence); err != nil {
		t.Fatal(err)
	}
	again := receive(t, arrivals, "the webhook again")
	if again.Subject != out.Subject || string(again.Data) != "hook" || again.Header.Get("Payonce-Http-X-Sign") != "s" || again.Header.Get(events.HeaderRequestedAt) != "" {
		t.Errorf("came back as %+v", again)
	}
	if second := jetstreamtest.OnlyDeadLetter(t, c); second.Sequence == deadLetter.Sequence || second.Message.Header.Get(events.HeaderReplayOf) != "1" {
		t.Errorf("second dead letter %+v", second)
	}
	cancel()
	if err := receive(t, ended, "the end"); err != nil {
		t.Error(err)
	}
}

func TestReplayOfWhatHasNoPlace(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	if _, err := js.Publish(testContext(t), "deadletter.commands.acme", []byte("junk")); err != nil {
		t.Fatal(err)
	}
	if err := c.Replay(testContext(t), 1); !errors.Is(err, events.ErrNoSubject) {
		t.Errorf("junk was replayed: %v", err)
	}
	jetstreamtest.OnlyDeadLetter(t, c)
	if err := c.DropDeadLetter(testContext(t), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DeadLetter(testContext(t), 1); !errors.Is(err, events.ErrNoDeadLetter) {
		t.Errorf("dropped: %v", err)
	}
}

func TestAudit(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	record := events.AuditRecord{
		ID: "1", Stage: events.Intended, Action: events.ActionCancel, Provider: "acme", Order: "D-1", By: "kim", Reason: "why", At: time.Now(),
	}
	for range 2 { // its acknowledgement was lost
		if err := c.Audit(testContext(t), record); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := js.Publish(testContext(t), "operator.cancel.acme.-", []byte("junk")); err != nil {
		t.Fatal(err)
	}
	record.Stage = events.Finished
	if err := c.Audit(testContext(t), record); err != nil {
		t.Fatal(err)
	}
	entries, err := c.Audits(testContext(t), 0, 10)
	if err != nil || len(entries) != 3 || entries[0].Record.By != "kim" || entries[0].Subject != "operator.cancel.acme.D-1" ||
		entries[1].Problem == "" || entries[2].Record.Stage != events.Finished {
		t.Errorf("%+v, %v", entries, err)
	}
	if rest, err := c.Audits(testContext(t), entries[1].Sequence, 1); err != nil || len(rest) != 1 || rest[0].Sequence != 3 {
		t.Errorf("rest %+v, %v", rest, err)
	}
	if err := c.Audit(testContext(t), events.AuditRecord{ID: "2"}); err == nil {
		t.Error("a record without a person was kept")
	}
	stream, err := js.Stream(testContext(t), events.StreamAudit)
	if err != nil {
		t.Fatal(err)
	}
	if stream.DeleteMsg(testContext(t), 1) == nil || stream.Purge(testContext(t)) == nil {
		t.Error("an audit record can be deleted")
	}
}
