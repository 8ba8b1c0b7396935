package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// maxDoubtful is how many payments are read to find those that need a person, where no process has counted them.
const maxDoubtful = 2000

// attention says what needs a person: what was counted, each payment read again, requests for a second person, and dead letters.
func (a *assembly) attention(ctx context.Context, levels map[string]events.Level, sum *Summary) {
	items, total, known := a.payments(ctx, sum)
	more := append(a.requestItems(ctx), deadLetterItems(levels)...)
	items, total = append(items, more...), total+len(more)
	slices.SortStableFunc(items, func(x, y Item) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Provider, y.Provider), cmp.Compare(x.Order, y.Order))
	})
	switch {
	case known:
		a.report.Attention, a.report.AttentionTotal = append([]Item{}, items...), &total
	case len(items) > 0: // what else needs a person is known all the same
		a.report.Attention = items
	}
}

// payments are those that need a person, as far as they are named, and how many there are in all.
func (a *assembly) payments(ctx context.Context, sum *Summary) (items []Item, total int, known bool) {
	switch {
	case sum != nil:
		total = sum.AttentionTotal
		for _, one := range sum.Attention {
			item, needs := a.item(ctx, one)
			if !needs {
				total--
				continue
			}
			items = append(items, item)
		}
		return items, total, true
	case a.Doubtful == nil || a.Log == nil:
		a.unknown("payments", "no process lives that counts them")
		return nil, 0, false
	}
	found, err := a.searchDoubtful(ctx)
	if err != nil {
		a.unknown("payments", "no process lives that counts them, and the log cannot be searched: %v", err)
		return nil, 0, false
	}
	a.unknown("payments", "no process lives that counts them: of those that need a person only the ones in doubt and in conflict are shown")
	return found, len(found), true
}

// item reads a payment again: it may have moved on since it was counted. needs is false when no person is needed any more.
func (a *assembly) item(ctx context.Context, one Attention) (i Item, needs bool) {
	i = Item{Provider: one.Provider, Order: one.Order, Status: one.Status, Reason: one.Reason, Number: max(one.Payments, 1), Since: one.Since}
	known := payment.Payment{Ref: one.Ref, Status: one.Status, OverdueAt: one.Since, Reason: &payment.Reason{Code: one.Reason}}
	i.Next = operator.Next(known)
	if a.Log == nil {
		return i, true
	}
	p, _, err := a.Log.Last(ctx, one.Ref)
	if bad, unreadable := events.Unreadable(err); unreadable {
		i.Reason, i.Next = payment.ReasonUnreadable, bad.Next()
		return i, true
	}
	if err != nil { // what was counted is said all the same
		return i, !errors.Is(err, events.ErrNoPayment)
	}
	if one.Payments <= 1 && !needsPerson(a.now, standingOf(p)) {
		return i, false
	}
	return fill(i, p), true
}

// fill adds what the payment itself says.
func fill(i Item, p payment.Payment) Item {
	i.Operation, i.Status, i.Amount, i.Upstream, i.Reason, i.Next = p.Operation, p.Status, p.Amount, p.Upstream, "", operator.Next(p)
	if p.Reason != nil {
		i.Reason = p.Reason.Code
	}
	return i
}

// standingOf is the state of a payment, as the log's headers would give it.
func standingOf(p payment.Payment) *standing {
	s := &standing{status: p.Status, described: true, overdue: !p.OverdueAt.IsZero(), resumeAt: p.ResumeAt, at: p.UpdatedAt}
	if p.Reason != nil {
		s.reason = p.Reason.Code
	}
	if p.Status != payment.Parked && !over(p.Status) {
		s.sent = p.OpenSince()
	}
	return s
}

// searchDoubtful reads every payment that was ever in doubt or in conflict, as far as the log remembers.
func (a *assembly) searchDoubtful(ctx context.Context) ([]Item, error) {
	refs, more, err := a.Doubtful.EverDoubtful(ctx, maxDoubtful)
	if err != nil {
		return nil, err
	}
	if more {
		return nil, fmt.Errorf("it has more than %d payments that were in doubt once", maxDoubtful)
	}
	var items []Item
	for _, ref := range refs {
		p, _, err := a.Log.Last(ctx, ref)
		if bad, unreadable := events.Unreadable(err); unreadable {
			items = append(items, Item{Provider: ref.Provider, Order: ref.Order, Reason: payment.ReasonUnreadable, Number: 1, Next: bad.Next()})
			continue
		}
		if err != nil && !errors.Is(err, events.ErrNoPayment) {
			return nil, err
		}
		if s := standingOf(p); err == nil && needsPerson(a.now, s) {
			items = append(items, fill(Item{Provider: ref.Provider, Order: ref.Order, Number: 1, Since: s.since().UTC()}, p))
		}
	}
	return items, nil
}

// requestItems are the actions that wait for a second person.
func (a *assembly) requestItems(ctx context.Context) (items []Item) {
	if a.Requests == nil {
		return nil
	}
	waiting, err := a.Requests.Requests(ctx, a.now)
	if err != nil {
		a.unknown("approvals", "AUDIT cannot be read: %v", err)
	}
	for _, r := range waiting {
		i := Item{
			Provider: r.Record.Provider, Reason: Approval, Amount: r.Record.Amount, Number: max(1, len(r.Record.Items), r.Record.File.Payouts), Since: r.Record.At,
			Request: r.Sequence, Action: r.Record.Action, By: r.By,
			Next: fmt.Sprintf("another person approves or refuses it until %s: payctl approvals show %d", r.ExpiresAt.UTC().Format("2006-01-02 15:04 UTC"), r.Sequence),
		}
		if len(r.Record.Items) == 1 {
			one := r.Record.Items[0]
			if i.Order = one.Order; i.Amount.IsZero() {
				i.Amount = one.Amount
			}
		}
		items = append(items, i)
	}
	return items
}

func deadLetterItems(levels map[string]events.Level) (items []Item) {
	for _, provider := range slices.Sorted(maps.Keys(levels)) {
		l := levels[provider]
		if l.DeadLetters == 0 {
			continue
		}
		next := "payctl deadletters list --provider " + provider
		if provider == events.NoProvider {
			next = "payctl deadletters list"
		}
		items = append(items, Item{Provider: provider, Reason: DeadLetters, Number: int(l.DeadLetters), Since: l.OldestDeadLetterAt, Next: "see what they are and what to do: " + next})
	}
	return items
}
