package operator

import (
	"context"
	"slices"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Decisions is the log, as far as people decided what stands in it.
type Decisions interface {
	// DecidedByHand gives each payment that a person settled, failed or cancelled from a time on to each, maybe more than once.
	DecidedByHand(ctx context.Context, from time.Time, each func(payment.Ref) error) error
	// History returns all events of a payment, oldest first.
	History(ctx context.Context, ref payment.Ref) ([]events.Record, error)
}

// Unapproved is an event by which a person ended a payment that needed a second person, and had none.
type Unapproved struct {
	payment.Ref
	Sequence uint64         `json:"sequence"` // in PAYMENTS
	StoredAt time.Time      `json:"stored_at"`
	Status   payment.Status `json:"status"`
	Amount   payment.Money  `json:"amount,omitzero"`
	By       string         `json:"by"` // as the event says it; written past payctl, it can be any name
}

// FindUnapproved compares the log with AUDIT: it finds what was settled, failed or cancelled by hand from a time on, above the
// limits, without the approval of another person. The server does not refuse such an event to the key of an
// operator or of a worker. Payouts that were queued past payctl look like those of an upstream: it does not find them.
func (a Approvals) FindUnapproved(ctx context.Context, log Decisions, from time.Time) ([]Unapproved, error) {
	found, refs := []Unapproved{}, map[payment.Ref]bool{}
	if err := log.DecidedByHand(ctx, from, func(ref payment.Ref) error { refs[ref] = true; return nil }); err != nil {
		return nil, err
	}
	approved, err := a.approved(ctx)
	if err != nil {
		return nil, err
	}
	for ref := range refs {
		records, err := log.History(ctx, ref)
		if err != nil {
			return nil, err
		}
		before := events.Record{}
		for _, r := range records {
			if p := r.Payment; !r.StoredAt.Before(from) && decidedByHand(before.Payment, p) && a.needed(amounts(p)...) &&
				!approved[decision{ref, before.Sequence, p.Status, p.SettledAmount}] {
				found = append(found, Unapproved{ref, r.Sequence, r.StoredAt, p.Status, p.Amount, p.Reason.By})
			}
			before = r
		}
	}
	slices.SortFunc(found, func(a, b Unapproved) int { return a.StoredAt.Compare(b.StoredAt) })
	return found, nil
}

// decidedByHand reports whether a person wrote an outcome after an event. Annotations keep the outcome and its reason.
func decidedByHand(before, p payment.Payment) bool {
	if p.Reason == nil || p.Status != payment.Settled && p.Status != payment.Failed {
		return false
	}
	if p.Reason.Code != payment.ReasonResolvedByPerson && p.Reason.Code != payment.ReasonCancelled {
		return false
	}
	return before.Status != p.Status || before.SettledAmount != p.SettledAmount || before.Reason == nil || *before.Reason != *p.Reason
}

// decision is what a second person approved: after which event of a payment, which outcome, and what was settled.
type decision struct {
	ref     payment.Ref
	after   uint64
	status  payment.Status
	settled payment.Money
}

// approved reads all decisions that a second person approved.
func (a Approvals) approved(ctx context.Context) (map[decision]bool, error) {
	requests, err := a.List(ctx, time.Time{})
	approved := map[decision]bool{}
	for _, r := range requests {
		if r.State != events.Approved || strings.EqualFold(r.By, r.EndedBy) {
			continue
		}
		for _, item := range r.Record.Items {
			d := decision{ref: payment.Ref{Provider: r.Record.Provider, Order: item.Order}, after: item.Event, status: payment.Failed}
			if r.Record.Action == events.ActionSettle {
				d.status, d.settled = payment.Settled, r.Record.Amount
			}
			approved[d] = true
		}
	}
	return approved, err
}
