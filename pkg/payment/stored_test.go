package payment_test

import (
	"testing"
	"time"

	"payonce/pkg/payment"
)

// What an event says of now counts as of when the broker stored it; what it repeats of events before does not move, and
// nothing moves back.
func TestAsStored(t *testing.T) {
	at := time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)
	written := payment.Payment{UpdatedAt: at, FirstSubmittedAt: at, SubmittedAt: at, NotFoundAt: at}
	repeated := payment.Payment{UpdatedAt: at, SubmittedAt: at.Add(-time.Hour), NotFoundAt: at.Add(-time.Minute)}
	later := at.Add(time.Minute)
	for name, c := range map[string]struct {
		p      payment.Payment
		stored time.Time
		sent   time.Time
		asked  time.Time
	}{
		"stored later":   {written, later, later, later},
		"stored before":  {written, at.Add(-time.Minute), at, at},
		"said by others": {repeated, later, at.Add(-time.Hour), at.Add(-time.Minute)},
		"never sent":     {payment.Payment{UpdatedAt: at}, later, time.Time{}, time.Time{}},
	} {
		got := c.p.AsStored(c.stored)
		if !got.SubmittedAt.Equal(c.sent) || !got.NotFoundAt.Equal(c.asked) || !got.UpdatedAt.Equal(at) || !got.FirstSubmittedAt.Equal(c.p.FirstSubmittedAt) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
