package ingress

import (
	"context"
	"errors"
	"fmt"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

var (
	// errReused: the order is known with another command.
	errReused = errors.New("the order is known with another command")
	// errForeign: the order belongs to another upstream.
	errForeign = errors.New("the order belongs to another upstream")
	// errUnknown: the order is not known, and the command is not to be stored.
	errUnknown = errors.New("the order is not known")
	// errUnsettled: queue and log contradicted each other each time they were asked.
	errUnsettled = errors.New("the order keeps moving between queue and log; try again")
)

// enqueueRounds bounds how often a command is tried whose order leaves the queue while it is looked at.
const enqueueRounds = 3

// enqueue stores a command, unless its order is known or the command is not good. It returns the payment as it
// stands, and whether the same command was there before. After an error other than errReused, errForeign and errUnknown
// the command may have been stored.
func (s *Server) enqueue(ctx context.Context, cmd payment.Command, good bool) (p payment.Payment, duplicate bool, err error) {
	command, err := events.EncodeCommand(cmd, s.newID())
	if err != nil && !good { // not even its order is an order
		return payment.Payment{}, false, errUnknown
	}
	if err != nil {
		return payment.Payment{}, false, err
	}
	for round := range enqueueRounds {
		p, err := s.last(ctx, cmd.Ref, cmd.Upstream)
		if err == nil {
			if p, err = s.shown(ctx, p, cmd); err != nil || p.Status != payment.Parked {
				return p, true, err
			}
			return p, true, s.restore(ctx, cmd.Ref, command)
		}
		if !errors.Is(err, events.ErrNoPayment) {
			return payment.Payment{}, false, fmt.Errorf("read %s before publishing: %w", cmd.Ref, err)
		}
		if good {
			switch err := s.commands.PublishCommand(ctx, command); {
			case err == nil:
				p, err := s.published(ctx, cmd)
				return p, false, err
			case !errors.Is(err, events.ErrQueued):
				return payment.Payment{}, false, fmt.Errorf("publish %s: %w", cmd.Ref, err)
			}
		}
		p, err = s.queued(ctx, cmd.Ref, cmd.Upstream)
		if err == nil {
			return p, true, sameCommand(p, cmd)
		}
		if !errors.Is(err, events.ErrNotQueued) { // else it left the queue meanwhile: the log knows it now
			return payment.Payment{}, false, err
		}
		if !good && round > 0 { // not in the log, not in the queue, and not between them
			return payment.Payment{}, false, errUnknown
		}
	}
	return payment.Payment{}, false, fmt.Errorf("%s: %w", cmd.Ref, errUnsettled)
}

// restore publishes the command of a parked payment again if nothing holds it any more, because an operator
// purged the queue: nothing but its command brings such a payment on its way.
func (s *Server) restore(ctx context.Context, ref payment.Ref, command events.Outgoing) error {
	_, err := s.commands.Queued(ctx, ref)
	if errors.Is(err, events.ErrNotQueued) {
		if err = s.commands.PublishCommand(ctx, command); errors.Is(err, events.ErrQueued) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("restore the command of %s: %w", ref, err)
	}
	return nil
}

// published looks at the log once more: another command of this order may have gone through the queue
// between our first look and our publishing. Ours is then refused by the worker.
func (s *Server) published(ctx context.Context, cmd payment.Command) (payment.Payment, error) {
	p, err := s.last(ctx, cmd.Ref, cmd.Upstream)
	if errors.Is(err, events.ErrNoPayment) {
		return payment.New(cmd), nil
	}
	if err != nil {
		return payment.Payment{}, fmt.Errorf("read %s after publishing: %w", cmd.Ref, err)
	}
	return s.shown(ctx, p, cmd)
}

// shown returns a payment of the log with what its customer must do, if the command is the one that it came of.
func (s *Server) shown(ctx context.Context, p payment.Payment, cmd payment.Command) (payment.Payment, error) {
	if err := sameCommand(p, cmd); err != nil {
		return p, err
	}
	return s.actions.Actions(ctx, p)
}

// queued returns the payment of the command that waits in the queue, or events.ErrNotQueued. A command
// that cannot be read is another one than any that was accepted here: errReused. That of another upstream is errForeign,
// readable or not.
func (s *Server) queued(ctx context.Context, ref payment.Ref, upstream string) (payment.Payment, error) {
	q, err := s.commands.Queued(ctx, ref)
	if err != nil {
		return payment.Payment{}, fmt.Errorf("read the queued command of %s: %w", ref, err)
	}
	switch {
	case q.Parked: // the log knows more than its message
		return payment.Payment{}, events.ErrNotQueued
	case q.Unreadable && q.Upstream != "" && q.Upstream != upstream:
		return payment.Payment{}, errForeign
	case q.Unreadable:
		return payment.Payment{}, errReused
	case !q.Payment.VisibleTo(upstream):
		return payment.Payment{}, errForeign
	}
	return q.Payment, nil
}

// sameCommand returns nil if the command is the one that the payment came of: it asks for the same, and by the same
// upstream.
func sameCommand(p payment.Payment, cmd payment.Command) error {
	if !p.VisibleTo(cmd.Upstream) {
		return errForeign
	}
	if p.Fingerprint != cmd.Fingerprint() {
		return errReused
	}
	return nil
}
