package worker

import (
	"context"

	"payonce/pkg/payment"
)

// noteLateReport logs that a provider tells a fee or a completion time that the outcome in the log lacks: an outcome is written
// once, so it is not added. A webhook with it stays in WEBHOOKS.
func (w *Worker) noteLateReport(ctx context.Context, p payment.Payment, o payment.Observation) {
	if p.ReportsMore(o) {
		w.Logger.WarnContext(ctx, "provider told a fee or a time after the outcome", "provider", p.Provider, "order", p.Order,
			"source", o.Source, "next", "book the fee from the provider's statement")
	}
}
