package admin_test

import (
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// The audit records of a payment are those about it, and those about several that name it; not those of an order of the same
// name at another provider.
func TestAuditsOf(t *testing.T) {
	_, c := start(t)
	write := func(id, provider, order string, items ...string) {
		r := auditRecord(id)
		r.Provider, r.Order, r.Items = provider, order, nil
		for _, item := range items {
			r.Items = append(r.Items, events.AuditItem{Order: item})
		}
		if err := c.Audit(testContext(t), r); err != nil {
			t.Fatal(err)
		}
	}
	write("one", "acme", "D-1", "D-1")
	write("other", "acme", "D-2", "D-2")
	write("bulk", "acme", "", "D-2", "D-1")
	write("bulk-other", "acme", "", "D-2")
	write("beta", "beta", "", "D-1")
	entries, err := c.AuditsOf(testContext(t), payment.Ref{Provider: "acme", Order: "D-1"}, 10)
	if err != nil || len(entries) != 2 || entries[0].Record.ID != "one" || entries[1].Record.ID != "bulk" {
		t.Errorf("%+v, %v", entries, err)
	}
	if _, err := c.AuditsOf(testContext(t), payment.Ref{Provider: "acme", Order: "*"}, 10); err == nil {
		t.Error("a wildcard is no order")
	}
}

// The webhooks of a payment are returned as they came, and no more than were asked for.
func TestWebhooksOf(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	for _, subject := range []string{"webhook.received.acme.D-1", "webhook.received.acme.D-2", "webhook.received.acme.D-1", "webhook.received.acme.D-1"} {
		if _, err := js.Publish(testContext(t), subject, []byte(subject)); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.WebhooksOf(testContext(t), payment.Ref{Provider: "acme", Order: "D-1"}, 2)
	if err != nil || len(found) != 2 || found[0].Sequence != 1 || found[1].Sequence != 3 || string(found[1].Data) != "webhook.received.acme.D-1" {
		t.Errorf("%+v, %v", found, err)
	}
}

// A reader of the log is shown with how far it is, the durable ones first.
func TestReaders(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	if readers, err := c.Readers(testContext(t)); err != nil || len(readers) != 0 {
		t.Errorf("%+v, %v", readers, err)
	}
	for i := range 3 {
		p := paymentOf(ref("D-"+string(rune('1'+i))), payment.Submitting)
		if _, err := c.Append(testContext(t), p, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, cfg := range []njs.ConsumerConfig{
		{Name: "a-temporary", InactiveThreshold: time.Hour},
		{Durable: "ledger", Description: "books what settled", FilterSubjects: []string{"payment.settled.>", "payment.submitting.>"}, AckPolicy: njs.AckExplicitPolicy},
	} {
		if _, err := js.CreateConsumer(testContext(t), events.StreamPayments, cfg); err != nil {
			t.Fatal(err)
		}
	}
	ledger, err := js.Consumer(testContext(t), events.StreamPayments, "ledger")
	if err != nil {
		t.Fatal(err)
	}
	batch, err := ledger.Fetch(2)
	if err != nil {
		t.Fatal(err)
	}
	var got []njs.Msg
	for m := range batch.Messages() {
		got = append(got, m)
	}
	if err := got[0].DoubleAck(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if err := got[1].Nak(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the third, and the one that was not acknowledged, again
		if _, err := ledger.Next(); err != nil {
			t.Fatal(err)
		}
	}
	readers, err := c.Readers(testContext(t))
	if err != nil || len(readers) != 2 || readers[1].Name != "a-temporary" || readers[1].Durable {
		t.Fatalf("%+v, %v", readers, err)
	}
	if r := readers[0]; r.Name != "ledger" || !r.Durable || r.Description != "books what settled" || len(r.Filters) != 2 || r.Waiting != 0 || r.Unacknowledged != 2 ||
		r.Redelivered != 1 || r.Acknowledged != 1 || r.AcknowledgedAt.IsZero() || r.DeliveredAt.IsZero() {
		t.Errorf("%+v", r)
	}
}
