package payment_test

import (
	"testing"
	"time"

	"payonce/pkg/payment"
)

// An event of an older version says nothing of submits and first_submitted_at. What was sent before the upgrade counts
// against the bound, and the clock goes on from the time that the event knows.
func TestRequestsOfAnOlderVersionCount(t *testing.T) {
	old := decideAll(t, payment.New(deposit()), intend, indeterminateSubmit(1))
	old.Attempts, old.Submits, old.SubmittedAt, old.FirstSubmittedAt = 3, 0, begin.Add(-time.Hour), time.Time{}
	if old.Requests() != 3 || !old.OpenSince().Equal(old.SubmittedAt) {
		t.Errorf("%d requests since %s", old.Requests(), old.OpenSince())
	}
	sent := decideAll(t, old, unknown, unknown, intend)
	if sent.Status != payment.Submitting || sent.Submits != 4 || !sent.FirstSubmittedAt.Equal(old.SubmittedAt) {
		t.Errorf("%s, %d submits since %s", sent.Status, sent.Submits, sent.FirstSubmittedAt)
	}
	back := decideAll(t, sent, payment.Observation{Kind: payment.NotExecuted, Source: payment.FromSubmit, Attempt: 4})
	if back.Status != payment.Parked || back.Submits != 3 || !back.FirstSubmittedAt.Equal(old.SubmittedAt) {
		t.Errorf("%s, %d submits since %s", back.Status, back.Submits, back.FirstSubmittedAt)
	}

	parked := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.NotExecuted, Source: payment.FromSubmit, Attempt: 1})
	parked.SubmittedAt = begin // of an attempt that was not executed
	if sent := decideAll(t, parked, intend); sent.Submits != 1 || !sent.FirstSubmittedAt.Equal(sent.SubmittedAt) {
		t.Errorf("%d submits since %s", sent.Submits, sent.FirstSubmittedAt)
	}
}

// A refusal is about its own request. The one before, of which no answer came, may still have been executed.
func TestARefusalSaysNothingOfEarlierRequests(t *testing.T) {
	refusal := func(attempt int) payment.Observation {
		o := indeterminateSubmit(attempt)
		o.Refused = true
		return o
	}
	for name, c := range map[string]struct {
		said []payment.Observation
		want bool
	}{
		"the only request":                 {[]payment.Observation{intend, refusal(1)}, true},
		"after one that was not executed":  {[]payment.Observation{intend, {Kind: payment.NotExecuted, Source: payment.FromSubmit, Attempt: 1}, intend, refusal(2)}, true},
		"after one without an answer":      {[]payment.Observation{intend, indeterminateSubmit(1), unknown, unknown, intend, refusal(2)}, false},
		"and one without an answer behind": {[]payment.Observation{intend, refusal(1), unknown, unknown, intend, indeterminateSubmit(2)}, false},
	} {
		if p := decideAll(t, payment.New(deposit()), c.said...); p.Status != payment.InDoubt || p.Refused != c.want {
			t.Errorf("%s: %s, refused %v", name, p.Status, p.Refused)
		}
	}
}

func indeterminateSubmit(attempt int) payment.Observation {
	return payment.Observation{Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: attempt}
}
