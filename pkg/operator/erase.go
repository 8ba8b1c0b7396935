package operator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// PersonalStore is what is kept of customers beside the log.
type PersonalStore interface {
	// PersonalData lists what is kept of a payment that has ended, or of an order without one: then p is its Ref alone.
	PersonalData(ctx context.Context, p payment.Payment) ([]events.Personal, error)
	// Erase deletes one message of it for ever. One that is gone already is no error.
	Erase(ctx context.Context, m events.Personal) error
}

// Erased is the result of an erasure.
const Erased = "erased"

// Personal lists what is kept of the customer of a payment beside the log. The error is [ErrNotNow] while the payment is
// open or a person has to decide about it: what is known of the customer may still be needed, to pay or to find out. An
// order that the log does not know has no payment that could be open; what waits of it in the queue is not erasable.
func (d Service) Personal(ctx context.Context, store PersonalStore, ref payment.Ref) (payment.Payment, []events.Personal, error) {
	p, _, err := d.Log.Last(ctx, ref)
	switch {
	case errors.Is(err, events.ErrNoPayment):
		p = payment.Payment{Ref: ref}
	case err != nil:
		return p, nil, err
	case !p.Status.Ended() || p.Status == payment.Conflict:
		return p, nil, fmt.Errorf("the payment is %s; erase it when it has ended: %w", p.Status, ErrNotNow)
	}
	found, err := store.PersonalData(ctx, p)
	return p, found, err
}

// Erase erases what can be erased of what [Service.Personal] finds. It writes nothing into the log: how the payment
// stands, its money and its references stay. It returns what is left, which includes what is still needed.
func (d Service) Erase(ctx context.Context, store PersonalStore, ref payment.Ref) (p payment.Payment, erased, left []events.Personal, err error) {
	p, found, err := d.Personal(ctx, store, ref)
	for i, m := range found {
		if m.Needed != "" {
			left = append(left, m)
			continue
		}
		if err := store.Erase(ctx, m); err != nil {
			return p, erased, append(left, found[i:]...), err
		}
		erased = append(erased, m)
	}
	return p, erased, left, err
}

// Erase is [Service.Erase] of each payment. also, if set, then erases what is kept elsewhere, and adds to the item what that was.
func (a Actions) Erase(ctx context.Context, store PersonalStore, b Batch, also func(context.Context, *events.AuditItem) error) (map[string]int, error) {
	return a.each(ctx, events.ActionErase, b, func(ctx context.Context, item *events.AuditItem) error {
		p, erased, kept, err := a.Service.Erase(ctx, store, payment.Ref{Provider: b.Provider, Order: item.Order})
		item.After, item.Stream, item.Result = p.Status, ByStream(erased), Erased
		if err == nil && also != nil {
			err = also(ctx, item)
		}
		if errors.Is(err, ErrNotNow) {
			item.Result, err = LeftAlone(err), nil
		}
		if err == nil && len(kept) > 0 {
			item.Result = "partly erased, run the command again later: " + whyKept(kept)
		}
		return err
	})
}

// ByStream counts messages, for people: "ACTIONS 1, WEBHOOKS 2", and those that are still needed apart.
func ByStream(found []events.Personal) string {
	counts := map[string]int{}
	for _, m := range found {
		name := m.Stream
		if m.Needed != "" {
			name += " (still needed)"
		}
		counts[name]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(parts, ", ")
}

func whyKept(kept []events.Personal) string {
	reasons := map[string]bool{}
	for _, m := range kept {
		reasons[m.Needed] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(reasons)), "; ")
}
