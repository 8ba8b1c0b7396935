package main

import (
	"context"
	"errors"
	"fmt"

	"payonce/pkg/payment"
	"payonce/test/testmerchant"
)

// webhooks waits until the shop's endpoint has a signed webhook about each payment that was made, and nothing else. before are the
// webhook-ids of a time that the endpoint has forgotten: they may come again. It returns all that are known now.
func (s *stack) webhooks(ctx context.Context, made int, before map[string]bool) (ids map[string]bool, err error) {
	err = eventually(ctx, func(ctx context.Context) error {
		got, err := s.shop.Webhooks(ctx)
		if err != nil {
			return err
		}
		ids, err = checkWebhooks(got, made, before)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("webhooks to the shop's endpoint: %w", err)
	}
	fmt.Printf("==> the shop's endpoint has one signed webhook about each of %d payments\n", made)
	return ids, nil
}

// checkWebhooks returns the webhook-ids, those before included.
func checkWebhooks(got testmerchant.Webhooks, made int, before map[string]bool) (map[string]bool, error) {
	if got.Refused > 0 || got.Odd > 0 {
		return nil, fmt.Errorf("%d have no valid signature, and %d cannot be read", got.Refused, got.Odd)
	}
	ids, of := map[string]bool{}, map[payment.Ref]string{}
	for id := range before {
		ids[id] = true
	}
	var errs []error
	for _, r := range got.Received {
		if before[r.ID] {
			continue
		}
		ref := payment.Ref{Provider: r.Provider, Order: r.Order}
		if r.Status != payment.Settled || of[ref] != "" {
			errs = append(errs, fmt.Errorf("%s: %s as %s, after %q", ref, r.Status, r.ID, of[ref]))
		}
		of[ref], ids[r.ID] = r.ID, true
	}
	if len(of) != made {
		errs = append(errs, fmt.Errorf("%d payments were made, and it has the outcomes of %d", made, len(of)))
	}
	return ids, errors.Join(errs...)
}
