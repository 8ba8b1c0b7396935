package worker_test

import (
	"context"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// What only we or a person may decide cannot come from a provider. Such a webhook is given up and
// changes nothing; delivered again it would be the same for ever.
func TestWebhookThatDecidesForUsDies(t *testing.T) {
	for _, kind := range []payment.Kind{payment.Intend, payment.Refuse, payment.Park, "", "nonsense"} {
		t.Run(string(kind), func(t *testing.T) {
			after(t, func(d *testbed, _ take) {
				m := d.webhook("o-1", payment.Observation{Kind: kind})
				d.want(d.start().Webhook(context.Background(), m), queue.Dead, events.DeadBadWebhook)
				d.log.want("o-1", payment.Submitting, payment.Pending)
			})
		})
	}
}
