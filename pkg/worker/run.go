package worker

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/queue"
)

// Queue delivers messages to handlers. Each method blocks until ctx ends and the handlers it started
// have returned and their verdicts are carried out; it returns nil then, and an error only when it
// cannot go on. It never hands out more than slots messages at a time.
type Queue interface {
	ConsumeCommands(ctx context.Context, provider string, slots int, h queue.Handler) error
	ConsumeWebhooks(ctx context.Context, provider string, slots int, h queue.Handler) error
	ConsumeIntake(ctx context.Context, slots int, h queue.Handler) error
}

// intakeSlots is enough for messages that are only sent on.
const intakeSlots = 16

// Run works until ctx ends. Every provider has slots of its own for commands and for webhooks, so a
// slow one delays no other.
func (w *Worker) Run(ctx context.Context, q Queue, slots func(provider string) int) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, provider := range w.Connectors.Names() {
		group.Go(func() error {
			if err := q.ConsumeCommands(ctx, provider, slots(provider), w.Command); err != nil {
				return fmt.Errorf("commands of %s: %w", provider, err)
			}
			return nil
		})
		group.Go(func() error {
			if err := q.ConsumeWebhooks(ctx, provider, slots(provider), w.Webhook); err != nil {
				return fmt.Errorf("webhooks of %s: %w", provider, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		if err := q.ConsumeIntake(ctx, intakeSlots, w.Intake); err != nil {
			return fmt.Errorf("intake: %w", err)
		}
		return nil
	})
	return group.Wait()
}
