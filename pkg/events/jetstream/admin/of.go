package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

// WebhooksOf returns the webhooks of a payment that WEBHOOKS still has as they were received, oldest first, at most max. They hold
// personal data.
func (c *Conn) WebhooksOf(ctx context.Context, ref payment.Ref, max int) (webhooks []events.Message, err error) {
	if err := ref.Validate(); err != nil {
		return nil, err
	}
	for raw, err := range c.broker.Messages(ctx, events.StreamWebhooks, events.WebhookSubject(ref), 0) {
		if err != nil {
			return nil, fmt.Errorf("webhooks of %s: %w", ref, err)
		}
		if webhooks = append(webhooks, broker.MessageOf(raw)); len(webhooks) >= max {
			break
		}
	}
	return webhooks, nil
}

// bulkAudits is how many of the latest audit records are looked through for actions on several payments.
const bulkAudits = 200

// AuditsOf returns the audit records of one payment, oldest first, at most max: those about it alone, and those about several of
// the latest 200 records.
func (c *Conn) AuditsOf(ctx context.Context, ref payment.Ref, max int) (entries []events.AuditEntry, err error) {
	if err := ref.Validate(); err != nil {
		return nil, err
	}
	for _, filter := range events.AuditFilters("*", ref.Provider, ref.Order) {
		for raw, err := range c.broker.Messages(ctx, events.StreamAudit, filter, 0) {
			if err != nil {
				return nil, fmt.Errorf("audit records of %s: %w", ref, err)
			}
			if entries = append(entries, entryOf(raw).AuditEntry); len(entries) >= max {
				break
			}
		}
	}
	latest, err := c.LatestAudits(ctx, 0, bulkAudits)
	if err != nil {
		return nil, err
	}
	for _, e := range latest {
		if e.Record.Order == "" && names(e.Record, ref) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b events.AuditEntry) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return entries[:min(len(entries), max)], nil
}

// names reports whether one of the things that an action was done to is a payment.
func names(r events.AuditRecord, ref payment.Ref) bool {
	return r.Provider == ref.Provider && slices.ContainsFunc(r.Items, func(i events.AuditItem) bool { return i.Order == ref.Order })
}
