package operator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Log is the log of payments, as the engine sees it.
type Log interface {
	Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error)
	Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error)
}

// Queue is where commands wait.
type Queue interface {
	// QueuedCommand returns the command of an order that waits, is in work or is parked, or
	// events.ErrNotQueued.
	QueuedCommand(ctx context.Context, ref payment.Ref) (events.Message, error)
	// ReleaseParked lets a parked command be delivered at another time, or returns events.ErrNotParked.
	ReleaseParked(ctx context.Context, ref payment.Ref, at time.Time) error
	// DropParked takes a parked command away, if there is one.
	DropParked(ctx context.Context, ref payment.Ref) error
}

// Service carries out decisions. It is safe for concurrent use.
type Service struct {
	Log   Log
	Queue Queue
	Now   func() time.Time
}

// Person is who decides, and why, in the person's own words. Both are written into the log.
type Person struct {
	Name string // 1 to 64 printable characters
	Why  string // 1 to 500 printable characters; without personal data of customers
}

// Validate reports what is wrong, joined.
func (p Person) Validate() error {
	return errors.Join(text("name", p.Name, 64), text("reason", p.Why, 500))
}

func text(what, s string, most int) error {
	n := utf8.RuneCountInString(s)
	if strings.TrimSpace(s) != s || n < 1 || n > most || !utf8.ValidString(s) || strings.IndexFunc(s, unicode.IsControl) >= 0 {
		return fmt.Errorf("the %s must be 1 to %d printable characters without leading or trailing spaces", what, most)
	}
	return nil
}

func (p Person) reason(code string) *payment.Reason {
	return &payment.Reason{Code: code, By: p.Name, Message: p.Why}
}

// Outcome is what came of a decision about one payment.
type Outcome struct {
	Before, After payment.Status
	Result        string // for people, e.g. "released"
}

// The results.
const (
	Released  = "released"
	LookedUp  = "released for a look-up"
	Delivered = "not parked: its command was delivered already, or does not exist"
	Cancelled = "cancelled"
	Resolved  = "resolved"
	Approved  = "will be looked up, and submitted once more if the provider still does not know it"
)

// ErrNotNow says that the payment's status does not allow the decision.
var ErrNotNow = errors.New("not possible in this status")

// rounds bounds how often a payment is read again that others keep moving.
const rounds = 5

// Release lets the command of a parked payment, or of one in doubt, be delivered at a time. Of a parked
// payment it is first written that it may be tried from then on, or else the engine would park it again
// until its old time. Of one in doubt the provider will be asked; nothing is written.
func (d Service) Release(ctx context.Context, ref payment.Ref, who Person, at time.Time) (Outcome, error) {
	for range rounds {
		p, seq, err := d.Log.Last(ctx, ref)
		if errors.Is(err, events.ErrNoPayment) {
			p, err = payment.Payment{Ref: ref, Status: payment.Requested}, nil
		}
		if err != nil {
			return Outcome{}, err
		}
		o := Outcome{Before: p.Status, After: p.Status, Result: Released}
		switch p.Status {
		case payment.Requested:
		case payment.Submitting, payment.InDoubt:
			o.Result = LookedUp
		case payment.Parked:
			err = d.resumeAt(ctx, p, seq, who, at)
		default:
			return o, fmt.Errorf("the payment is %s, nothing is parked: %w", p.Status, ErrNotNow)
		}
		if errors.Is(err, events.ErrStale) {
			continue
		}
		if err == nil {
			err = d.Queue.ReleaseParked(ctx, ref, at)
		}
		if errors.Is(err, events.ErrNotParked) {
			o.Result, err = Delivered, nil
		}
		return o, err
	}
	return Outcome{}, events.ErrStale
}

// resumeAt writes that a parked payment may be tried at a time. It only ever makes it earlier, so that to
// release again what is released changes nothing.
func (d Service) resumeAt(ctx context.Context, p payment.Payment, seq uint64, who Person, at time.Time) error {
	if !at.Before(p.ResumeAt) {
		return nil
	}
	return d.write(ctx, p, seq, payment.Observation{
		Kind: payment.Park, Source: payment.FromPerson, ResumeAt: at, Reason: who.reason(payment.ReasonReleased),
	})
}

// Cancel gives a payment up of which nothing was sent: one that is parked, or whose command waits. Any
// other is refused with [ErrNotNow]. What waits in the queue finds the outcome and does nothing.
func (d Service) Cancel(ctx context.Context, ref payment.Ref, who Person) (Outcome, error) {
	return d.cancel(ctx, ref, who, func(payment.Payment, uint64) error { return nil })
}

// cancel is Cancel, if the payment is as expected.
func (d Service) cancel(ctx context.Context, ref payment.Ref, who Person, expected func(p payment.Payment, seq uint64) error) (Outcome, error) {
	for range rounds {
		p, seq, err := d.unsent(ctx, ref)
		o := Outcome{Before: p.Status, After: p.Status}
		if err == nil {
			if err := expected(p, seq); err != nil {
				return o, err
			}
		}
		if err == nil {
			err = d.write(ctx, p, seq, payment.Observation{
				Kind: payment.Refuse, Source: payment.FromPerson, Reason: who.reason(payment.ReasonCancelled),
			})
		}
		if errors.Is(err, events.ErrStale) {
			continue
		}
		if err != nil {
			return o, err
		}
		o.After, o.Result = payment.Failed, Cancelled
		return o, d.Queue.DropParked(ctx, ref)
	}
	return Outcome{}, events.ErrStale
}

// unsent returns a payment of which nothing was sent.
func (d Service) unsent(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	p, seq, err := d.Log.Last(ctx, ref)
	if errors.Is(err, events.ErrNoPayment) {
		m, queueErr := d.Queue.QueuedCommand(ctx, ref)
		if queueErr != nil {
			return p, 0, queueErr
		}
		cmd, decodeErr := events.DecodeCommand(m)
		if decodeErr != nil {
			return p, 0, fmt.Errorf("its command cannot be read and will become a dead letter: %w", ErrNotNow)
		}
		return payment.New(cmd), 0, nil
	}
	switch {
	case err != nil:
		return p, seq, err
	case p.Status == payment.Parked:
		return p, seq, nil
	case p.Status == payment.Submitting || p.Status == payment.InDoubt || p.Status == payment.Pending:
		return p, seq, fmt.Errorf("the payment is %s, a request may have been executed: check at the provider, then use payctl payment resolve: %w", p.Status, ErrNotNow)
	}
	return p, seq, fmt.Errorf("the payment is %s, it has ended: %w", p.Status, ErrNotNow)
}

// Decision is how a person ends a payment that is in doubt, pending or in conflict.
type Decision struct {
	Settled bool          // money moved; else none moved and none will
	Amount  payment.Money // what moved; zero takes what is known
}

// Resolve writes a decision about the payment that the person saw: p, whose last event has sequence seq.
// The error is events.ErrStale when it has moved on since: show it again, and ask again. It returns the
// payment as it stands then.
func (d Service) Resolve(ctx context.Context, p payment.Payment, seq uint64, who Person, decision Decision) (payment.Payment, error) {
	o := payment.Observation{Kind: payment.ManuallyFailed, Source: payment.FromPerson, Reason: who.reason(payment.ReasonResolvedByPerson)}
	if decision.Settled {
		o.Kind, o.SettledAmount = payment.ManuallySettled, decision.Amount
	}
	if decision.Settled && !decision.Amount.IsZero() && decision.Amount.Minor <= 0 {
		return p, fmt.Errorf("a settled amount must be positive; use failed if no money moved: %w", ErrNotNow)
	}
	if decision.Settled && !decision.Amount.IsZero() && !p.Amount.IsZero() && decision.Amount.Currency != p.Amount.Currency {
		return p, fmt.Errorf("the payment is in %s: %w", p.Amount.Currency, ErrNotNow)
	}
	next, _, err := payment.Decide(p, o, d.Now())
	if errors.Is(err, payment.ErrForbidden) {
		return p, fmt.Errorf("%w: %w", ErrNotNow, err)
	}
	if err == nil {
		_, err = d.Log.Append(ctx, next, seq)
	}
	if err != nil {
		return p, err
	}
	return next, nil
}

// Retry lets the payment that the person saw be sent once more: p, whose last event has sequence seq. Its provider
// must have said twice that it does not know the order, and its command must still wait in the queue. The worker
// asks the provider once more before it sends. The errors are those of Resolve.
func (d Service) Retry(ctx context.Context, p payment.Payment, seq uint64, who Person) (payment.Payment, error) {
	next, changed, err := payment.Decide(p, payment.Observation{
		Kind: payment.ApproveRetry, Source: payment.FromPerson, Reason: who.reason(payment.ReasonRetryApproved),
	}, d.Now())
	if errors.Is(err, payment.ErrForbidden) {
		return p, fmt.Errorf("the payment is %s, and its provider has not said twice that it does not know the order: %w", p.Status, ErrNotNow)
	}
	if err != nil {
		return p, err
	}
	if _, err := d.Queue.QueuedCommand(ctx, p.Ref); errors.Is(err, events.ErrNotQueued) {
		return p, fmt.Errorf("its command is not in the queue any more, so it cannot be sent; check at the provider, then use payctl payment resolve: %w", ErrNotNow)
	} else if err != nil {
		return p, err
	}
	if changed { // the same person may have approved it before, with the same words
		if _, err := d.Log.Append(ctx, next, seq); err != nil {
			return p, err
		}
	}
	if err := d.Queue.ReleaseParked(ctx, p.Ref, d.Now()); err != nil && !errors.Is(err, events.ErrNotParked) {
		return next, fmt.Errorf("the approval is recorded, and the payment is looked up at its time: %w", err)
	}
	return next, nil
}

// write applies a decision to a payment and appends it.
func (d Service) write(ctx context.Context, p payment.Payment, seq uint64, o payment.Observation) error {
	next, changed, err := payment.Decide(p, o, d.Now())
	if err != nil || !changed {
		return err
	}
	_, err = d.Log.Append(ctx, next, seq)
	return err
}
