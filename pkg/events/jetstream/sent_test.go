package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// The log gives what was sent and what settled, of one provider, in order, and nothing else.
func TestSentPayments(t *testing.T) {
	_, c := start(t)
	began := time.Now().Add(-time.Minute)
	walk(t, c, ref("a"), payment.Submitting, payment.Pending, payment.Settled, payment.Reversed)
	walk(t, c, ref("b"), payment.Parked, payment.Submitting, payment.InDoubt)
	walk(t, c, ref("c"), payment.Failed)
	walk(t, c, payment.Ref{Provider: "other", Order: "a"}, payment.Submitting)
	walk(t, c, ref("d"), payment.Parked, payment.Settled)
	var got []string
	read := func(from, to time.Time) []string {
		t.Helper()
		got = nil
		err := c.SentPayments(testContext(t), "acme", from, to, func(p payment.Payment) error {
			got = append(got, p.Order+" "+string(p.Status))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := read(began, time.Now().Add(time.Hour)); !slices.Equal(got, []string{"a submitting", "a settled", "b submitting", "d settled"}) {
		t.Errorf("%q", got)
	}
	if got := read(began, began.Add(time.Second)); len(got) > 0 {
		t.Errorf("before the first: %q", got)
	}
	if got := read(time.Now().Add(time.Minute), time.Now().Add(time.Hour)); len(got) > 0 {
		t.Errorf("after the last: %q", got)
	}
	history, err := c.History(testContext(t), ref("b"))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(history[1].StoredAt, history[1].StoredAt.Add(1)); !slices.Equal(got, []string{"b submitting"}) {
		t.Errorf("from its time until right after it: %q", got)
	}
}

// More events than are fetched at once come whole and in order; an error of the reader and of the log ends it, and
// no consumer is left.
func TestSentPaymentsOfManyAndErrors(t *testing.T) {
	server, c := start(t)
	const many = 700
	for i := range many {
		walk(t, c, ref(fmt.Sprintf("o-%d", i)), payment.Submitting)
	}
	n, from, to := 0, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	err := c.SentPayments(testContext(t), "acme", from, to, func(p payment.Payment) error {
		if p.Order != fmt.Sprintf("o-%d", n) {
			t.Fatalf("%s is number %d", p.Order, n)
		}
		n++
		return nil
	})
	if err != nil || n != many {
		t.Fatalf("%d, %v", n, err)
	}
	mine := errors.New("enough")
	if err := c.SentPayments(testContext(t), "acme", from, to, func(payment.Payment) error { return mine }); !errors.Is(err, mine) {
		t.Error(err)
	}
	if err := c.SentPayments(testContext(t), "*", from, to, nil); err == nil {
		t.Error("a wildcard is a provider")
	}
	if err := c.SentPayments(testContext(t), "acme", time.Time{}, to, nil); err == nil {
		t.Error("a time that never was")
	}
	ctx, cancel := context.WithCancel(testContext(t))
	if err := c.SentPayments(ctx, "acme", from, to, func(payment.Payment) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_, js := foreign(t, server.URL())
	stream, err := js.Stream(testContext(t), events.StreamPayments)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "no consumer is left", func() bool {
		info, err := stream.Info(testContext(t))
		return err == nil && info.State.Consumers <= 1 // that of Watch
	})
}
