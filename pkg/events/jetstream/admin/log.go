package admin

import (
	"context"
	"errors"
	"fmt"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// LogState says how the log is now.
func (c *Conn) LogState(ctx context.Context) (events.LogState, error) {
	var state events.LogState
	err := c.broker.Ask(ctx, func(ctx context.Context) error {
		stream, err := c.broker.JS.Stream(ctx, events.StreamPayments) // for what it holds now
		if err != nil {
			return err
		}
		now := stream.CachedInfo().State
		state = events.LogState{First: now.FirstSeq, Last: now.LastSeq, Messages: now.Msgs}
		if now.Msgs == 0 {
			return nil
		}
		state.FirstAt = now.FirstTime.UTC()
		state.LastAt, state.Hash, err = eventHash(ctx, stream, now.LastSeq)
		return err
	})
	if err != nil {
		return state, fmt.Errorf("state of %s: %w", events.StreamPayments, err)
	}
	return state, nil
}

func eventHash(ctx context.Context, stream njs.Stream, sequence uint64) (time.Time, string, error) {
	raw, err := stream.GetMsg(ctx, sequence)
	if err != nil {
		return time.Time{}, "", fmt.Errorf("sequence %d: %w", sequence, err)
	}
	return raw.Time.UTC(), events.AuditHash(raw.Subject, raw.Data), nil
}

// retentionSlack is how much earlier than its retention says the server may forget an event, for clocks that differ.
const retentionSlack = time.Hour

// CheckLog says what the log lost, by itself and by what AUDIT remembers of it: events that are missing between others, a
// log that begins later than its retention explains or ends earlier than it did, and events that are not the same any more.
func (c *Conn) CheckLog(ctx context.Context) ([]string, error) {
	now, err := c.LogState(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := c.broker.Stream(ctx, events.StreamPayments)
	if err != nil {
		return nil, err
	}
	var problems []string
	var accepted uint64 // so many events were missing between others when a person accepted the log
	err = c.eachAudit(ctx, func(e auditEntry) {
		if e.Record.Action == events.ActionAccept && e.Record.Stage == events.Finished { // a person knows what was lost before
			problems, accepted = nil, deleted(e.Record.LogState)
		}
		if e.Record.LogState.Last == 0 {
			return
		}
		if problem := c.remembered(ctx, stream, e.Record.LogState, now); problem != "" && (len(problems) == 0 || problems[len(problems)-1] != problem) {
			problems = append(problems, problem)
		}
	})
	if held := now.Last + 1 - now.First; deleted(now) > accepted {
		problems = append(problems, fmt.Sprintf("has %d events where %d were: some were deleted", now.Messages, held))
	}
	return problems, err
}

// deleted counts the events that are missing between others.
func deleted(s events.LogState) uint64 {
	if s.Messages == 0 {
		return 0
	}
	return s.Last + 1 - s.First - s.Messages
}

// remembered compares the log with how it was once.
func (c *Conn) remembered(ctx context.Context, stream njs.Stream, then, now events.LogState) string {
	forgets := c.now().Add(retentionSlack - c.cfg.PaymentRetention)
	switch {
	case now.Last < then.Last:
		return fmt.Sprintf("ends at event %d and had %d before: it was recreated, or restored from an older copy", now.Last, then.Last)
	case now.First > then.Last && !then.LastAt.Before(forgets):
		return fmt.Sprintf("begins at event %d; events up to %d of %s are missing and not too old", now.First, then.Last, then.LastAt.Format(time.RFC3339))
	case now.First > then.First && !then.FirstAt.Before(forgets):
		return fmt.Sprintf("begins at event %d; event %d of %s is missing and not too old", now.First, then.First, then.FirstAt.Format(time.RFC3339))
	case now.First > then.Last:
		return "" // older than the retention
	}
	_, hash, err := eventHash(ctx, stream, then.Last)
	switch {
	case errors.Is(err, njs.ErrMsgNotFound):
		return fmt.Sprintf("event %d is missing", then.Last)
	case err != nil:
		return fmt.Sprintf("event %d cannot be read: %v", then.Last, err)
	case hash != then.Hash:
		return fmt.Sprintf("event %d has changed: the log was recreated", then.Last)
	}
	return ""
}
