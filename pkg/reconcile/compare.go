package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Log is our log as a comparison reads it, see jetstream.Conn.
type Log interface {
	// Last returns a payment as it stands, or events.ErrNoPayment.
	Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error)
	// History returns all events of an order, oldest first.
	History(ctx context.Context, ref payment.Ref) ([]events.Record, error)
	// SentPayments gives each event that a payment of a provider was sent, or settled, and that was written from
	// from until to, oldest first. It ends at the first error of each and returns it. An event that cannot be read
	// has only its Ref, and UpdatedAt for when it was stored.
	SentPayments(ctx context.Context, provider string, from, to time.Time, each func(payment.Payment) error) error
}

// Comparison compares a provider's records with our log, both ways: each payment of theirs is looked for in our log by
// its order, and each payment that we sent in the provider's statement. It changes nothing on either side. Memory is that of the
// statement: the log is read through and not kept.
//
// Each payment belongs to one interval: one that the statement has to that in which the provider made it, any other to
// that in which we sent it last. So intervals that follow each other judge every payment, and judge it once.
type Comparison struct {
	Log       Log
	Statement *Statement
	Rules     Rules
	// Operations that the statement is about; others are left out.
	Operations []payment.Operation
	// Found takes each finding and note, first those of payments that the statement has, in their order, then those of
	// payments that only we have, in the order of the log. An error of it ends the comparison.
	Found func(Finding) error
	// Step is called after each payment that was compared; nil does nothing. Never concurrently.
	Step func()
}

// Summary counts what was compared.
type Summary struct {
	Compared int `json:"compared"` // payments that were judged
	Matched  int `json:"matched"`  // of these, those on which both agree
	Findings int `json:"findings"` // a payment can have several
	Noted    int `json:"noted"`    // differences that are no findings
	Lines    int `json:"lines"`    // of the statement, with those beside the interval
}

const (
	lookers = 16  // how many payments are looked up in the log at once
	batch   = 256 // how many are looked up before they are judged
)

// Theirs returns how many payments of the statement Run will judge.
func (c Comparison) Theirs() int { return len(c.Statement.heads(c.Rules.Interval)) }

// Run compares. The summary counts up to an error.
func (c Comparison) Run(ctx context.Context) (Summary, error) {
	s := &Summary{Lines: c.Statement.Len()}
	if err := c.theirs(ctx, s); err != nil {
		return *s, fmt.Errorf("compare the statement of %s: %w", c.Rules.Provider, err)
	}
	if err := c.ours(ctx, s); err != nil {
		return *s, fmt.Errorf("compare payments of %s: %w", c.Rules.Provider, err)
	}
	return *s, nil
}

// theirs judges the payments that the statement has.
func (c Comparison) theirs(ctx context.Context, s *Summary) error {
	keys := c.Statement.heads(c.Rules.Interval)
	for len(keys) > 0 {
		some := keys[:min(batch, len(keys))]
		keys = keys[len(some):]
		ours := make([]found, len(some))
		group, own := errgroup.WithContext(ctx)
		group.SetLimit(lookers)
		for i, key := range some {
			group.Go(func() (err error) {
				ours[i], err = c.look(own, key.order)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for i, key := range some {
			lines := c.Statement.of(key)
			findings := []Finding{{Kind: UnreadableHere, Order: key.order, Operation: key.operation, Theirs: theirSides(lines), Detail: ours[i].unreadable}}
			if ours[i].unreadable == "" {
				findings = c.Rules.present(lines, ours[i].payment, c.Statement.AsOf)
			}
			if err := c.count(s, findings); err != nil {
				return err
			}
		}
	}
	return nil
}

// found is what our log has of an order.
type found struct {
	payment    *payment.Payment // nil when there is none, and when it cannot be read
	unreadable string           // why it cannot be read
}

// look reads our payment of an order. A statement can have order numbers that cannot be in the log.
func (c Comparison) look(ctx context.Context, order string) (found, error) {
	ref := payment.Ref{Provider: c.Rules.Provider, Order: order}
	if ref.Validate() != nil {
		return found{}, nil
	}
	p, _, err := c.Log.Last(ctx, ref)
	if bad, is := events.Unreadable(err); is {
		return found{unreadable: fmt.Sprintf("event %d: %s", bad.Sequence, bad.Problem())}, nil
	}
	switch {
	case errors.Is(err, events.ErrNoPayment):
		return found{}, nil
	case err != nil:
		return found{}, err
	}
	return found{payment: &p}, nil
}

// ours judges the payments that only we have. An event is as old as its worker's clock and the log's may differ.
func (c Comparison) ours(ctx context.Context, s *Summary) error {
	read := c.Rules.Interval.Widened(c.Rules.Margin)
	unreadable := map[string]bool{} // orders that were reported
	return c.Log.SentPayments(ctx, c.Rules.Provider, read.From, read.To, func(sent payment.Payment) error {
		blank := sent.Status == "" // cannot be read
		if !blank && (!c.mine(sent) || c.theirsHave(sent)) {
			return nil
		}
		our, err := c.look(ctx, sent.Order)
		if err != nil {
			return err
		}
		if our.unreadable != "" {
			return c.countUnreadable(s, sent, our, unreadable)
		}
		p := our.payment
		if blank && p != nil { // a person stepped over it: the payment may have been sent at that time
			sent.Operation = p.Operation
			if !c.mine(sent) || c.theirsHave(sent) {
				return nil
			}
		}
		// A payment that was sent again is judged by the last time. An attempt that was reversed left no count.
		if p == nil || !sentAt(*p).Equal(sentAt(sent)) || !blank && p.Attempts > sent.Attempts {
			return nil
		}
		first, err := c.firstSent(ctx, *p)
		if err != nil {
			return err
		}
		f, differs := c.Rules.absent(*p, first, c.Statement)
		if !differs {
			return c.count(s, nil)
		}
		return c.count(s, []Finding{f})
	})
}

// theirsHave reports whether the statement has a payment, which was judged with them.
func (c Comparison) theirsHave(p payment.Payment) bool {
	return len(c.Statement.of(paymentKey{p.Operation, p.Order})) > 0
}

// countUnreadable reports a payment that cannot be read, once, where the statement does not have it either.
func (c Comparison) countUnreadable(s *Summary, sent payment.Payment, our found, reported map[string]bool) error {
	for _, op := range c.Operations {
		sent.Operation = op
		if c.theirsHave(sent) {
			return nil
		}
	}
	if reported[sent.Order] || !c.Rules.Holds(sentAt(sent)) {
		return nil
	}
	reported[sent.Order] = true
	return c.count(s, []Finding{{Kind: UnreadableHere, Order: sent.Order, Detail: our.unreadable}})
}

// mine reports whether an event's payment is one to judge. A settled one was sent before, unless it never was.
func (c Comparison) mine(sent payment.Payment) bool {
	again := sent.Status == payment.Settled && !sent.SubmittedAt.IsZero()
	for _, op := range c.Operations {
		if op == sent.Operation {
			return !again && c.Rules.Holds(sentAt(sent))
		}
	}
	return false
}

// firstSent is when a payment was sent for the first time, or when it can have been made at the earliest.
func (c Comparison) firstSent(ctx context.Context, p payment.Payment) (time.Time, error) {
	switch {
	case p.SubmittedAt.IsZero():
		return p.RequestedAt, nil
	case p.Attempts <= 1:
		return p.SubmittedAt, nil
	}
	records, err := c.Log.History(ctx, p.Ref)
	if err != nil {
		return time.Time{}, err
	}
	for _, r := range records {
		if !r.Payment.SubmittedAt.IsZero() {
			return r.Payment.SubmittedAt, nil
		}
	}
	return p.RequestedAt, nil
}

// count hands on what was found about one payment.
func (c Comparison) count(s *Summary, found []Finding) error {
	s.Compared++
	if len(found) == 0 {
		s.Matched++
	}
	for _, f := range found {
		if f.Kind.Note() {
			s.Noted++
		} else {
			s.Findings++
		}
		if err := c.Found(f); err != nil {
			return err
		}
	}
	if c.Step != nil {
		c.Step()
	}
	return nil
}
