package jetstream_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// strange are events that cannot be read. another is the event of another order.
func strange(t *testing.T, r payment.Ref) map[string][]byte {
	t.Helper()
	another, err := events.EncodePayment(paymentOf(ref("another"), payment.Settled), "x")
	if err != nil {
		t.Fatal(err)
	}
	status, err := events.EncodePayment(paymentOf(r, payment.Failed), "x")
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"no JSON": []byte("{"), "empty": nil, "an acknowledgement": []byte(`{"stream":"PAYMENTS","seq":7}`),
		"a newer status": fmt.Appendf(nil, `{"provider":%q,"order":%q,"operation":"deposit","status":"refunding"}`, r.Provider, r.Order),
		"another type":   fmt.Appendf(nil, `{"provider":%q,"order":7}`, r.Provider),
		"another order":  another.Data, "another status": status.Data,
		"a bad time": fmt.Appendf(nil, `{"provider":%q,"order":%q,"operation":"deposit","status":"settled","updated_at":"김민수"}`, r.Provider, r.Order),
	}
}

// write stores bytes as an event, past Append.
func write(t *testing.T, url string, status payment.Status, r payment.Ref, data []byte) uint64 {
	t.Helper()
	_, js := foreign(t, url)
	ack, err := js.PublishMsg(testContext(t), &nats.Msg{Subject: events.PaymentSubject(status, r), Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

// An event that cannot be read is named by its sequence, is in its payment's history and among what was sent, and is
// stepped over by an append that names it.
func TestUnreadableEvents(t *testing.T) {
	server, c := start(t)
	n := 0
	for name, data := range strange(t, ref("o-0")) {
		t.Run(name, func(t *testing.T) {
			r := ref("o-0")
			if n++; n > 1 { // each has an order of its own, but those that name theirs
				r = ref(fmt.Sprintf("o-%d", n-1))
				data = strange(t, r)[name]
			}
			after := mustAppend(t, c, paymentOf(r, payment.Submitting), mustAppend(t, c, paymentOf(r, payment.Parked), 0))
			bad := write(t, server.URL(), payment.Settled, r, data)
			_, _, err := c.Last(testContext(t), r)
			var unreadable *events.UnreadableError
			if !errors.As(err, &unreadable) || unreadable.Sequence != bad || unreadable.Ref != r {
				t.Fatalf("Last: %v", err)
			}
			if text := err.Error(); len(text) > 200 || containsPerson(text) {
				t.Errorf("the error says %s", text)
			}
			history, err := c.History(testContext(t), r)
			if err != nil || len(history) != 3 || history[1].Sequence != after || history[2].Sequence != bad ||
				history[2].Unreadable == "" || history[2].Payment.Ref != r || history[2].Payment.Status != payment.Settled || history[1].Unreadable != "" {
				t.Fatalf("History: %+v, %v", history, err)
			}
			var sent []payment.Payment
			err = c.SentPayments(testContext(t), r.Provider, history[0].StoredAt, history[2].StoredAt.Add(1), func(p payment.Payment) error {
				if p.Ref == r {
					sent = append(sent, p)
				}
				return nil
			})
			if err != nil || len(sent) != 2 || sent[0].Status != payment.Submitting || sent[1].Status != "" || !sent[1].UpdatedAt.Equal(history[2].StoredAt) {
				t.Errorf("SentPayments: %+v, %v", sent, err)
			}
			if _, err := c.Append(testContext(t), paymentOf(r, payment.InDoubt), after); !errors.Is(err, events.ErrStale) {
				t.Errorf("an append after the last good event: %v", err)
			}
			mustAppend(t, c, paymentOf(r, payment.InDoubt), bad)
			if p, _, err := c.Last(testContext(t), r); err != nil || p.Status != payment.InDoubt {
				t.Errorf("stepped over: %+v, %v", p, err)
			}
			if history, err = c.History(testContext(t), r); err != nil || len(history) != 4 || history[2].Sequence != bad {
				t.Errorf("its history then: %+v, %v", history, err)
			}
		})
	}
}

func containsPerson(text string) bool {
	for _, r := range text {
		if r > 127 {
			return true
		}
	}
	return false
}
