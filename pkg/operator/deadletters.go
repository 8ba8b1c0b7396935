package operator

import (
	"context"
	"errors"
	"strconv"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// DeadLetters is where dead letters are kept.
type DeadLetters interface {
	// Replay sends one to where it came from and deletes it, or returns events.ErrNoDeadLetter, ErrQueued, ErrTruncated or
	// ErrNoPlace.
	Replay(ctx context.Context, sequence uint64) error
	// DropDeadLetter deletes one. One that is gone already is no error.
	DropDeadLetter(ctx context.Context, sequence uint64) error
}

// The results of actions on dead letters.
const (
	Replayed = "replayed"
	Dropped  = "dropped"
	NotFound = "not found"
)

// Drop deletes dead letters.
func (a Actions) Drop(ctx context.Context, from DeadLetters, b Batch) (map[string]int, error) {
	return a.each(ctx, events.ActionDrop, b, func(ctx context.Context, item *events.AuditItem) error {
		item.Result = Dropped
		return from.DropDeadLetter(ctx, item.DeadLetter)
	})
}

// Replay sends dead letters to where they came from.
func (a Actions) Replay(ctx context.Context, from DeadLetters, b Batch) (map[string]int, error) {
	return a.each(ctx, events.ActionReplay, b, func(ctx context.Context, item *events.AuditItem) error {
		err := from.Replay(ctx, item.DeadLetter)
		item.Result = Replayed
		switch {
		case errors.Is(err, events.ErrQueued):
			item.Result, err = "skipped: another command of the order is queued", nil
		case errors.Is(err, events.ErrNoDeadLetter):
			item.Result, err = NotFound, nil
		case errors.Is(err, events.ErrTruncated):
			item.Result, err = "skipped: the message was too big and was stored in part", nil
		case errors.Is(err, events.ErrNoPlace):
			item.Result, err = "skipped: its original subject is unknown", nil
		}
		return err
	})
}

// DeadLetter is a dead letter without its content, as people see it.
type DeadLetter struct {
	Sequence   uint64            `json:"sequence"`
	At         time.Time         `json:"at"`
	Reason     events.DeadReason `json:"reason"`
	Stream     string            `json:"stream"`
	Provider   string            `json:"provider"`
	Order      string            `json:"order,omitempty"`
	Subject    string            `json:"subject"`
	Deliveries int               `json:"deliveries"`
	Detail     string            `json:"detail"`
	// ReplayOf is the dead letter that it was before, which was replayed without success.
	ReplayOf uint64 `json:"replay_of,omitempty"`
	// Next is what a person does about it, in words that may change.
	Next string `json:"next"`
	// Upstream that published it, where that is known.
	Upstream string `json:"upstream,omitempty"`
	// Truncated is the size of the whole message where only a part was kept.
	Truncated int `json:"truncated,omitempty"`
}

// DeadLetterRef is the payment that a dead letter names.
func DeadLetterRef(l events.DeadLetter) payment.Ref {
	if ref, ok := events.SubjectRef(l.Message.Subject); ok {
		return ref
	}
	return payment.Ref{Provider: events.NoProvider}
}

// DeadLetterOf returns a dead letter as people see it.
func DeadLetterOf(l events.DeadLetter) DeadLetter {
	ref := DeadLetterRef(l)
	before, _ := strconv.ParseUint(l.Message.Header.Get(events.HeaderReplayOf), 10, 64)
	return DeadLetter{l.Sequence, l.At, l.Reason, l.Stream, ref.Provider, ref.Order, l.Message.Subject, l.Message.Deliveries, l.Detail,
		before, NextOfDeadLetter(l.Reason), l.Message.Header.Get(events.HeaderUpstream), l.Truncated}
}

// DeadLettersOf returns dead letters as people see them.
func DeadLettersOf(all []events.DeadLetter) []DeadLetter {
	shown := make([]DeadLetter, len(all))
	for i, l := range all {
		shown[i] = DeadLetterOf(l)
	}
	return shown
}
