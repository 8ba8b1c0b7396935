package worker_test

import (
	"context"
	"testing"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// A payment that failed at the provider is found there by the provider's number.
func TestARejectedPaymentKeepsTheProvidersNumber(t *testing.T) {
	inBubble(t, func(d *testbed) {
		d.provider.script("o-1", reply{err: &connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined, Reference: "T-77"}})
		d.want(d.start().Command(context.Background(), d.message(d.order("o-1"))), queue.Done)
		if p := d.log.now("o-1"); p.Status != payment.Failed || p.ProviderReference != "T-77" {
			t.Errorf("got %+v", p)
		}
	})
}
