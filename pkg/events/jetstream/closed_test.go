package jetstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/janitor"
	"payonce/pkg/payment"
)

// Nothing that could not be asked or done passes for done, or for an answer that nothing is there: no
// payment, nothing queued, no dead letters.
func TestNothingIsDoneOrKnownWithoutAConnection(t *testing.T) {
	_, c := start(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r, known := ref("o-1"), func(_ any, err error) error { return err }
	for name, ask := range map[string]func(context.Context) error{
		"Append":            func(ctx context.Context) error { return known(c.Append(ctx, paymentOf(r, payment.Submitting), 0)) },
		"EnsureStreams":     c.EnsureStreams,
		"ApplyStreams":      func(ctx context.Context) error { return known(c.ApplyStreams(ctx, true)) },
		"CheckStreams":      func(ctx context.Context) error { return known(c.CheckStreams(ctx)) },
		"Audits":            func(ctx context.Context) error { return known(c.Audits(ctx, 0, 1)) },
		"DeadLetters":       func(ctx context.Context) error { return known(c.DeadLetters(ctx, 0, 1)) },
		"DeadLetter":        func(ctx context.Context) error { return known(c.DeadLetter(ctx, 1)) },
		"DeadLettersOf":     func(ctx context.Context) error { return known(c.DeadLettersOf(ctx, r)) },
		"MaybeSent":         func(ctx context.Context) error { return known(c.MaybeSent(ctx, "acme")) },
		"LastAccount":       func(ctx context.Context) error { return known(c.LastAccount(ctx, "acme")) },
		"PullsWaiting":      func(ctx context.Context) error { return known(c.PullsWaiting(ctx, "acme")) },
		"Replay":            func(ctx context.Context) error { return c.Replay(ctx, 1) },
		"DropDeadLetter":    func(ctx context.Context) error { return c.DropDeadLetter(ctx, 1) },
		"Last":              func(ctx context.Context) error { _, _, err := c.Last(ctx, r); return err },
		"History":           func(ctx context.Context) error { return known(c.History(ctx, r)) },
		"ParkedOrders":      func(ctx context.Context) error { return known(c.ParkedOrders(ctx, "acme")) },
		"ParkedCommand":     func(ctx context.Context) error { return known(c.ParkedCommand(ctx, r)) },
		"ReleaseParked":     func(ctx context.Context) error { return c.ReleaseParked(ctx, r, time.Now()) },
		"DropParked":        func(ctx context.Context) error { return c.DropParked(ctx, r) },
		"PublishCommand":    func(ctx context.Context) error { return c.PublishCommand(ctx, command(r, "{}")) },
		"PublishClarify":    func(ctx context.Context) error { return c.PublishClarification(ctx, command(r, "{}"), "id") },
		"PublishWebhook":    func(ctx context.Context) error { return c.PublishWebhook(ctx, command(r, "{}"), "id") },
		"QueuedCommand":     func(ctx context.Context) error { return known(c.QueuedCommand(ctx, r)) },
		"SweepOrphans":      func(ctx context.Context) error { return known(janitor.New(c.Conn).SweepOrphans(ctx)) },
		"RescueUndelivered": func(ctx context.Context) error { return known(janitor.New(c.Conn).RescueUndelivered(ctx)) },
		"ServerTime":        func(ctx context.Context) error { _, err := c.ServerTime(ctx); return err },
		"Ready":             func(context.Context) error { return c.Ready() },
		"ConsumeCommands":   func(ctx context.Context) error { return c.ConsumeCommands(ctx, "acme", 1, nil) },
		"ConsumeWebhooks":   func(ctx context.Context) error { return c.ConsumeWebhooks(ctx, "acme", 1, nil) },
		"ConsumeIntake":     func(ctx context.Context) error { return c.ConsumeIntake(ctx, 1, nil) },
		"Audit":             func(ctx context.Context) error { return c.Audit(ctx, events.AuditRecord{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			err := ask(ctx)
			if err == nil {
				t.Fatal("no error")
			}
			for _, answer := range []error{
				events.ErrNoPayment, events.ErrStale, events.ErrQueued, events.ErrNotQueued, events.ErrNoDeadLetter, events.ErrNotParked,
			} {
				if errors.Is(err, answer) {
					t.Errorf("it passes for an answer: %v", err)
				}
			}
			if ctx.Err() != nil {
				t.Error("it waited until it was stopped")
			}
		})
	}
}
