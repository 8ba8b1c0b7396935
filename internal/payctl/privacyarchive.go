package payctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// withArchive runs an erasure that reaches the archive, if there is one. customer, if set, says whose orders are meant.
func (w erasure) withArchive(ctx context.Context, cfg config.Config, customer string) error {
	if cfg.Archive.Configured() {
		store, err := openArchive(ctx, cfg, false)
		if err != nil {
			return fmt.Errorf("nothing was erased: %w", err)
		}
		defer func() { _ = store.Close() }() // every transaction has ended
		w.archive = store
	}
	if customer != "" {
		if w.archive == nil || cfg.Archive.CustomerField == "" {
			return usagef("--customer needs an archive, and archive.customer_field")
		}
		refs, err := w.archive.OrdersOf(ctx, cfg.Archive.CustomerField, customer)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if ref.Provider == w.provider {
				w.orders = append(w.orders, ref.Order)
			}
		}
		if len(w.orders) == 0 {
			return fmt.Errorf("the archive has no payment of %s whose metadata %s names this customer", w.provider, cfg.Archive.CustomerField)
		}
		slices.Sort(w.orders)
		w.orders = slices.Compact(w.orders)
	}
	return w.run(ctx)
}

// lookInArchive adds what the archive has to what would be erased. The result is why nothing can be: a payment that the log
// has forgotten and that never ended.
func (w erasure) lookInArchive(ctx context.Context, ref payment.Ref, item *events.AuditItem) (result string, err error) {
	if w.archive == nil {
		return "", nil
	}
	e, err := w.archive.Last(ctx, ref)
	switch {
	case errors.Is(err, events.ErrNoPayment):
		return "", nil
	case err != nil:
		return "", err
	case item.Before == "" && (!e.Payment.Status.Ended() || e.Payment.Status == payment.Conflict):
		return fmt.Sprintf("the archive has it as %s, and the log has forgotten it", e.Payment.Status), nil
	case item.Before == "":
		item.Before, item.Upstream = e.Payment.Status, e.Payment.Upstream
	}
	item.Stream = strings.TrimPrefix(item.Stream+", archive", ", ")
	return "", nil
}

// eraseInArchive erases what the archive holds of one order. Events that it has not read yet are erased when they come.
func (w erasure) eraseInArchive(ctx context.Context, item *events.AuditItem) error {
	if w.archive == nil {
		return nil
	}
	n, err := w.archive.Erase(ctx, payment.Ref{Provider: w.provider, Order: item.Order}, w.who.Name, w.who.Why, w.env.Now())
	if err == nil && n > 0 {
		item.Stream = strings.TrimPrefix(fmt.Sprintf("%s, archive %d", item.Stream, n), ", ")
	}
	return err
}
