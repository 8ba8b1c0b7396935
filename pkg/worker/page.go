package worker

import (
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// pageOver is from when on the provider would know a payment that was confirmed on its customer's page in the
// last moment: the time that it may need for that counts while it is open. ever is false where nobody knows.
func (w *Worker) pageOver(p payment.Payment, traits connectors.Traits) (over time.Time, ever bool) {
	if traits.PageGrace <= 0 {
		return time.Time{}, false
	}
	return w.Opening(p.Provider, p.Operation).Hours.AddOpen(p.PageClosesAt, traits.PageGrace)
}

// pageGrace is what an observation says of a payment's page, see [payment.Observation].
func (w *Worker) pageGrace(p payment.Payment, traits connectors.Traits) time.Duration {
	over, ever := w.pageOver(p, traits)
	if !ever || !p.AwaitsPage() {
		return 0
	}
	return over.Sub(p.PageClosesAt)
}
