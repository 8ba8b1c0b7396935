package payouts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// Queue is what sending needs of the broker.
type Queue interface {
	Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error)
	PublishCommand(ctx context.Context, out events.Outgoing) error
	QueuedCommand(ctx context.Context, ref payment.Ref) (events.Message, error)
}

// Result is what came of one payout.
type Result int

// The results.
const (
	Unsent       Result = iota // not known to be in the queue
	Sent                       // it was queued
	AlreadyThere               // the same payout was sent before
	Conflict                   // another command under the same order
)

const (
	// senders is how many payouts are on their way at the same time.
	senders = 16
	// sendRounds bounds how often a payout is tried whose order leaves the queue while it is looked at.
	sendRounds = 3
)

// Send publishes the payouts that are not there yet, and calls done after each. When ctx ends it begins no more and waits for those
// under way, so that as few as possible are in the dark. It stops at the first failure too. The results
// are in the order of the payouts, also beside an error.
func Send(ctx context.Context, q Queue, payouts []Payout, done func(), timeout time.Duration) ([]Result, error) {
	results := make([]Result, len(payouts))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(senders)
	for i, one := range payouts {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			own, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
			defer cancel()
			r, err := sendOne(own, q, one.Command)
			if err != nil {
				return fmt.Errorf("line %d: %w", one.Line, err)
			}
			results[i] = r
			done()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return results, err
	}
	if ctx.Err() != nil {
		return results, errors.New("interrupted")
	}
	return results, nil
}

// sendOne publishes one payout unless its order is known. The log is asked before and after: another
// command of the order may go through the queue in between, and the worker then refuses ours.
func sendOne(ctx context.Context, q Queue, cmd payment.Command) (Result, error) {
	out, err := events.EncodeCommand(cmd, uuid.NewString())
	if err != nil {
		return Unsent, err
	}
	for range sendRounds {
		if r, err := inLog(ctx, q, cmd, AlreadyThere); r != Unsent || err != nil {
			return r, err
		}
		switch err := q.PublishCommand(ctx, out); {
		case err == nil:
			if r, err := inLog(ctx, q, cmd, Sent); r != Unsent || err != nil {
				return r, err
			}
			return Sent, nil
		case !errors.Is(err, events.ErrQueued):
			return Unsent, err
		}
		if r, err := inCommands(ctx, q, cmd); r != Unsent || err != nil {
			return r, err
		}
	}
	return Unsent, errors.New("the order keeps moving between queue and log; try again")
}

// inLog compares the payout with the log: same when it is there, Unsent when nothing is.
func inLog(ctx context.Context, q Queue, cmd payment.Command, same Result) (Result, error) {
	p, _, err := q.Last(ctx, cmd.Ref)
	switch {
	case errors.Is(err, events.ErrNoPayment):
		return Unsent, nil
	case err != nil:
		return Unsent, err
	case samePayout(p, cmd):
		return same, nil
	}
	return Conflict, nil
}

// inCommands compares the payout with the command of its order that waits in the queue; Unsent when none
// does any more: the log knows it then. A parked one the log knows too.
func inCommands(ctx context.Context, q Queue, cmd payment.Command) (Result, error) {
	m, err := q.QueuedCommand(ctx, cmd.Ref)
	if errors.Is(err, events.ErrNotQueued) || err == nil && operator.CommandStateOf(m) == operator.CommandParked {
		return Unsent, nil
	}
	if err != nil {
		return Unsent, err
	}
	queued, err := events.DecodeCommand(m)
	if err != nil || !samePayout(payment.New(queued), cmd) { // one that cannot be read is not ours
		return Conflict, nil
	}
	return AlreadyThere, nil
}

// samePayout reports whether a known payment asks for what cmd asks for. Where a payout was imported from,
// a file that was renamed or a line that moved, makes no other payout of it.
func samePayout(p payment.Payment, cmd payment.Command) bool {
	if p.Metadata[metadataFile] != "" && p.Metadata[metadataLine] != "" && len(p.Metadata) == len(cmd.Metadata) {
		cmd.Metadata = p.Metadata
	}
	return p.Fingerprint == cmd.Fingerprint()
}

// Counts is how many payouts came to what.
type Counts struct {
	New     int
	Already int
	// Conflicts are the lines whose order is known with another command.
	Conflicts []int
	// Unsent are those of which it is not known that they are in the queue.
	Unsent int
}

// Count counts the results of payouts.
func Count(payouts []Payout, results []Result) (c Counts) {
	for i, r := range results {
		switch r {
		case Sent:
			c.New++
		case AlreadyThere:
			c.Already++
		case Conflict:
			c.Conflicts = append(c.Conflicts, payouts[i].Line)
		default:
			c.Unsent++
		}
	}
	return c
}

// Audited are the counts as a record of AUDIT has them.
func (c Counts) Audited() map[string]int {
	return map[string]int{"new": c.New, "already_there": c.Already, "conflict": len(c.Conflicts), "unsent": c.Unsent}
}
