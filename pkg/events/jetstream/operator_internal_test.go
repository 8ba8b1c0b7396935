package jetstream

import (
	"context"
	"fmt"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// ParkedOrders goes on where a page ended. The server's pages are of 100,000.
func TestAPageOfSubjectsBeginsAtItsOffset(t *testing.T) {
	_, c := begin(t, DefaultConfig(), time.Now)
	for i := range 5 {
		if _, err := c.js.Publish(t.Context(), fmt.Sprintf("parked.acme.D-%d", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	subjects, total, err := c.queuedSubjects(t.Context(), "parked.acme.*", 2)
	if err != nil || total != 5 || len(subjects) != 3 {
		t.Errorf("%v, %d, %v", subjects, total, err)
	}
}

// The process ended between the publish of a replay and the deletion of its dead letter: the dead letter
// is still there, and to replay it again sends nothing a second time, even after the first was worked.
func TestReplayAfterACrash(t *testing.T) {
	_, c := begin(t, DefaultConfig(), time.Now)
	ref := payment.Ref{Provider: "acme", Order: "D-1"}
	for name, d := range map[string]*delivery{
		"command": {stream: events.StreamCommands, message: events.Message{Subject: events.CommandSubject(payment.Deposit, ref), StoredAt: time.Now()}},
		"short":   {stream: events.StreamCommands, message: events.Message{Subject: events.ShortSubject(payment.Deposit), StoredAt: time.Now()}},
		"answer":  {stream: events.StreamCommands, message: events.Message{Subject: events.ClarificationSubject(ref), StoredAt: time.Now()}},
		"webhook": {stream: events.StreamWebhooks, message: events.Message{Subject: events.WebhookSubject(ref), StoredAt: time.Now()}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ack, err := c.store(ctx, c.deadLetter(d, events.DeadInvalid, ""))
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
			if _, err := c.remove(ctx, d.stream, m); err != nil { // a worker took it
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
func (c *Conn) stored(ctx context.Context, d *delivery) (uint64, error) {
	stream, err := c.stream(ctx, d.stream)
	if err != nil {
		return 0, err
	}
	raw, err := stream.GetLastMsgForSubject(ctx, d.message.Subject)
	if err != nil {
		return 0, err
	}
	return raw.Sequence, nil
}
