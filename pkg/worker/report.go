package worker

import (
	"context"

	"payonce/pkg/payment"
)

// noteLateReport logs that a provider tells a fee or a time of completion that the outcome in the log does not have: an order has
// one outcome, so it is not written. The webhook is kept in WEBHOOKS.
func (w *Worker) noteLateReport(ctx context.Context, p payment.Payment, o payment.Observation) {
	if p.ReportsMore(o) {
		w.Logger.WarnContext(ctx, "provider told a fee or a time after the outcome", "provider", p.Provider, "order", p.Order,
			"source", o.Source, "next", "book the fee from the provider's statement")
	}
}
