package payctl

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"payonce/pkg/archive"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// elsewhere looks for a payment that neither the log nor the queue knows by this order: in the archive, and by the provider's
// own reference.
func (e Env) elsewhere(ctx context.Context, cfg config.Config, conn *admin.Conn, ref payment.Ref) (s operator.Timeline, has bool, err error) {
	var find searcher = e.logSearch(conn, searchedEvents)
	if cfg.Archive.Configured() {
		store, err := openArchive(ctx, cfg, true)
		if err != nil {
			return s, false, err
		}
		defer func() { _ = store.Close() }() // nothing was written
		if s, err = e.forgotten(ctx, store, ref); !errors.Is(err, events.ErrNoPayment) {
			return s, err == nil, err
		}
		find = store
	}
	page, err := find.Find(ctx, search.Filter{Providers: []string{ref.Provider}, Reference: ref.Order}, "", 10)
	if err != nil || len(page.Entries) == 0 {
		return s, false, err
	}
	var orders []string
	for _, found := range page.Entries {
		orders = append(orders, found.Payment.Order)
	}
	if len(orders) > 1 {
		return s, false, fmt.Errorf("several payments of %s have this reference: %s; name the order", ref.Provider, strings.Join(orders, ", "))
	}
	_, _ = fmt.Fprintf(e.Stderr, "The order with this reference is %s.\n", orders[0])
	by := payment.Ref{Provider: ref.Provider, Order: orders[0]}
	s, err = operator.ReadHistory(ctx, conn, conn, by)
	if store, archived := find.(*archive.Store); archived && errors.Is(err, events.ErrNoPayment) {
		s, err = e.forgotten(ctx, store, by)
	}
	return s, err == nil, err
}

// forgotten returns a payment as the archive has it, which the log has forgotten.
func (e Env) forgotten(ctx context.Context, store *archive.Store, ref payment.Ref) (operator.Timeline, error) {
	records, err := store.History(ctx, ref)
	if err != nil {
		return operator.Timeline{}, err
	}
	return operator.Forgotten(ref, records), nil
}
