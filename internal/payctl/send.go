package payctl

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

// queue is what sending needs of the broker.
type queue interface {
	Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error)
	PublishCommand(ctx context.Context, out events.Outgoing) error
	QueuedCommand(ctx context.Context, ref payment.Ref) (events.Message, error)
}

// result is what came of one payout.
type result int

const (
	unsent result = iota // not known to be in the queue
	sent
	alreadyThere // the same payout was sent before
	conflict     // another command under the same order
)

const (
	// senders is how many payouts are on their way at the same time.
	senders = 16
	// sendRounds bounds how often a payout is tried whose order leaves the queue while it is looked at.
	sendRounds = 3
)

// send publishes the payouts that are not there yet. When ctx ends it begins no more and waits for those
// under way, so that as few as possible are in the dark. It stops at the first failure too. The results
// are in the order of the payouts, also beside an error.
func send(ctx context.Context, q queue, payouts []payout, p progress, timeout time.Duration) ([]result, error) {
	defer p.end()
	results := make([]result, len(payouts))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(senders)
	for i, one := range payouts {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			own, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
			defer cancel()
			r, err := sendOne(own, q, one.cmd)
			if err != nil {
				return fmt.Errorf("line %d: %w", one.line, err)
			}
			results[i] = r
			p.add()
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
func sendOne(ctx context.Context, q queue, cmd payment.Command) (result, error) {
	out, err := events.EncodeCommand(cmd, uuid.NewString())
	if err != nil {
		return unsent, err
	}
	for range sendRounds {
		if r, err := inLog(ctx, q, cmd, alreadyThere); r != unsent || err != nil {
			return r, err
		}
		switch err := q.PublishCommand(ctx, out); {
		case err == nil:
			if r, err := inLog(ctx, q, cmd, sent); r != unsent || err != nil {
				return r, err
			}
			return sent, nil
		case !errors.Is(err, events.ErrQueued):
			return unsent, err
		}
		if r, err := inCommands(ctx, q, cmd); r != unsent || err != nil {
			return r, err
		}
	}
	return unsent, errors.New("the order keeps moving between queue and log; try again")
}

// inLog compares the payout with the log: same when it is there, unsent when nothing is.
func inLog(ctx context.Context, q queue, cmd payment.Command, same result) (result, error) {
	p, _, err := q.Last(ctx, cmd.Ref)
	switch {
	case errors.Is(err, events.ErrNoPayment):
		return unsent, nil
	case err != nil:
		return unsent, err
	case samePayout(p, cmd):
		return same, nil
	}
	return conflict, nil
}

// inCommands compares the payout with the command of its order that waits in the queue; unsent when none
// does any more: the log knows it then. A parked one the log knows too.
func inCommands(ctx context.Context, q queue, cmd payment.Command) (result, error) {
	m, err := q.QueuedCommand(ctx, cmd.Ref)
	if errors.Is(err, events.ErrNotQueued) || err == nil && operator.CommandStateOf(m) == operator.CommandParked {
		return unsent, nil
	}
	if err != nil {
		return unsent, err
	}
	queued, err := events.DecodeCommand(m)
	if err != nil || !samePayout(payment.New(queued), cmd) { // one that cannot be read is not ours
		return conflict, nil
	}
	return alreadyThere, nil
}

// samePayout reports whether a known payment asks for what cmd asks for. Where a payout was imported from,
// a file that was renamed or a line that moved, makes no other payout of it.
func samePayout(p payment.Payment, cmd payment.Command) bool {
	if p.Metadata[metadataFile] != "" && p.Metadata[metadataLine] != "" && len(p.Metadata) == len(cmd.Metadata) {
		cmd.Metadata = p.Metadata
	}
	return p.Fingerprint == cmd.Fingerprint()
}
