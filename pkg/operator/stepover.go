package operator

import (
	"context"
	"errors"
	"fmt"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Skipped is the result of [Service.StepOver].
const Skipped = "stepped over"

// Skip names an event of the log that cannot be read and that a person steps over.
type Skip struct {
	Ref      payment.Ref
	Sequence uint64 // in the log; it must be the payment's last event
	// Operation is what a person says it was, where neither the log nor the queue says it.
	Operation payment.Operation
}

// SkipPlan is what will be written.
type SkipPlan struct {
	Sequence uint64            // of the event, after which Next is written
	Before   payment.Payment   // before the events that cannot be read
	Skipped  []payment.Skipped // those events
	Next     payment.Payment
}

// PlanSkip says what becomes of a payment whose last event cannot be read, from its history. It writes nothing. The error is
// [ErrNotNow] where the event is not the payment's last one or can be read.
func (d Service) PlanSkip(ctx context.Context, records []events.Record, want Skip, who Person) (SkipPlan, error) {
	last := records[len(records)-1]
	switch {
	case last.Unreadable == "":
		return SkipPlan{}, fmt.Errorf("the last event of %s, %d, can be read: nothing to skip: %w", want.Ref, last.Sequence, ErrNotNow)
	case last.Sequence != want.Sequence:
		return SkipPlan{}, fmt.Errorf("the last event of %s is %d, not %d, and cannot be read either: check it first: %w", want.Ref, last.Sequence, want.Sequence, ErrNotNow)
	}
	plan := SkipPlan{Sequence: want.Sequence}
	plan.Before, plan.Skipped = events.Unskipped(records)
	if plan.Before.Status == payment.Requested {
		var err error
		if plan.Before, err = d.ordered(ctx, want); err != nil {
			return SkipPlan{}, err
		}
	}
	plan.Next = payment.StepOver(plan.Before, plan.Skipped, *who.reason(payment.ReasonUnreadable), d.Now())
	return plan, nil
}

// ordered is the payment of which the log has nothing that can be read: as its command has it, or with only what a person says.
func (d Service) ordered(ctx context.Context, want Skip) (payment.Payment, error) {
	m, err := d.Queue.QueuedCommand(ctx, want.Ref)
	if err != nil && !errors.Is(err, events.ErrNotQueued) {
		return payment.Payment{}, err
	}
	if err == nil {
		if cmd, err := events.DecodeCommand(m); err == nil {
			return payment.New(cmd), nil
		}
	}
	if want.Operation == "" {
		return payment.Payment{}, fmt.Errorf("neither the log nor the queue has the operation of %s: ask its upstream, and use --operation: %w", want.Ref, ErrNotNow)
	}
	return payment.Payment{Ref: want.Ref, Operation: want.Operation, Status: payment.Requested}, nil
}

// StepOver writes what was planned, and lets the payment's command go on at once. The error is events.ErrStale when the payment has
// moved on since.
func (d Service) StepOver(ctx context.Context, plan SkipPlan) error {
	if _, err := d.Log.Append(ctx, plan.Next, plan.Sequence); err != nil {
		return err
	}
	err := d.Queue.ReleaseParked(ctx, plan.Next.Ref, d.Now())
	if errors.Is(err, events.ErrNotParked) { // it comes by itself, or there is none
		return nil
	}
	return err
}
