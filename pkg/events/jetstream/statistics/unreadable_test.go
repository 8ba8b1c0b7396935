package statistics_test

import (
	"errors"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
)

// The metric counts such payments until an operator has stepped over the event, also where another process does, and the
// others in doubt are counted as ever. A process that follows the log knows that they need a person.
func TestUnreadableEventsAreCounted(t *testing.T) {
	r := reporting(t)
	of := "{provider=acme}"
	before := jetstreamtest.Append(t, r.Conn, jetstreamtest.PaymentOf(jetstreamtest.Ref("o-1"), payment.InDoubt), 0)
	bad := writeUnreadable(t, r.URL, jetstreamtest.Ref("o-1"))
	jetstreamtest.Append(t, r.Conn, jetstreamtest.PaymentOf(jetstreamtest.Ref("o-2"), payment.InDoubt), 0)
	counted := map[string]float64{statistics.MetricUnreadable + of: 1}
	r.Until(counted) // the event has no link to the one before, so it is read when it comes
	again := jetstreamtest.Report(t, r.URL)
	again.Until(counted)
	doubts := func(reader *jetstreamtest.Reported, inDoubt, unreadable int) {
		jetstreamtest.Eventually(t, "what is open", func() bool {
			sum := reader.Open.Summary([]string{"acme"})
			found := 0
			if sum != nil {
				for _, one := range sum.Attention {
					if one.Reason == payment.ReasonUnreadable {
						found++
					}
				}
			}
			return sum != nil && sum.Providers["acme"].Open[payment.InDoubt].Number == inDoubt && found == unreadable
		})
	}
	doubts(r, 1, 1)
	doubts(again, 1, 1)

	if _, err := again.Append(jetstreamtest.Context(t), jetstreamtest.PaymentOf(jetstreamtest.Ref("o-1"), payment.InDoubt), before); !errors.Is(err, events.ErrStale) {
		t.Errorf("stepped over without its sequence: %v", err)
	}
	jetstreamtest.Append(t, again.Conn, jetstreamtest.PaymentOf(jetstreamtest.Ref("o-1"), payment.InDoubt), bad)
	for _, reader := range []*jetstreamtest.Reported{r, again} {
		reader.Until(map[string]float64{statistics.MetricUnreadable + of: 0})
		doubts(reader, 2, 0)
	}
}

// writeUnreadable writes what is no event as the last event of an order.
func writeUnreadable(t *testing.T, url string, r payment.Ref) uint64 {
	t.Helper()
	_, js := jetstreamtest.Foreign(t, url)
	ack, err := js.Publish(jetstreamtest.Context(t), events.PaymentSubject(payment.Settled, r), []byte("{"))
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}
