package jetstreamtest

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// Append appends an event.
func Append(t *testing.T, c *admin.Conn, p payment.Payment, after uint64) uint64 {
	t.Helper()
	seq, err := c.Append(Context(t), p, after)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// Walk appends the events of one order.
func Walk(t *testing.T, c *admin.Conn, r payment.Ref, statuses ...payment.Status) {
	t.Helper()
	var after uint64
	for i, s := range statuses {
		p := PaymentOf(r, s)
		p.Revision = i + 1
		if s == payment.Settled {
			p.SettledAmount = p.Amount
		}
		var err error
		if after, err = c.Append(Context(t), p, after); err != nil {
			t.Fatal(err)
		}
	}
}

// ParkBefore publishes commands and lets a verdict park each until a time.
func ParkBefore(t *testing.T, c *admin.Conn, refs []payment.Ref, until func(payment.Ref) time.Time) {
	t.Helper()
	before := c.Broker().Count.Parked.Load()
	stop := Consuming(t, c, 16, func(_ context.Context, m events.Message) queue.Verdict {
		r, _ := events.SubjectRef(m.Subject)
		return queue.ParkUntil(until(r))
	})
	for _, r := range refs {
		Publish(t, c, r)
	}
	Eventually(t, "all are parked", func() bool { return c.Broker().Count.Parked.Load() == before+int64(len(refs)) })
	stop()
}

// OnlyDeadLetter waits for the one dead letter that there is.
func OnlyDeadLetter(t *testing.T, c *admin.Conn) events.DeadLetter {
	t.Helper()
	var deadLetters []events.DeadLetter
	Eventually(t, "there is one dead letter", func() bool {
		var err error
		deadLetters, err = c.DeadLetters(Context(t), 0, 10)
		return err == nil && len(deadLetters) == 1
	})
	return deadLetters[0]
}
