package payment_test

import (
	"testing"
	"time"

	"payonce/pkg/payment"
)

var overdue = payment.Observation{Kind: payment.Overdue, Source: payment.FromWorker}

func TestOverdueIsToldAndChangesNothingElse(t *testing.T) {
	link := &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/1"}}
	pending := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Accepted, Reference: "P1", Action: link})
	at := begin.Add(48 * time.Hour)
	p := must(t)(payment.Decide(pending, overdue, at))
	want := pending
	want.Reason, want.OverdueAt = &payment.Reason{Code: payment.ReasonOverdue}, at
	want.Revision, want.UpdatedAt = pending.Revision+1, at
	if got := checkWritten(t, p); got.Action == nil || got.Action.Redirect.URL != want.Action.Redirect.URL ||
		got.Status != payment.Pending || *got.Reason != *want.Reason || !got.OverdueAt.Equal(at) || got.Revision != want.Revision || !got.Known {
		t.Errorf("%+v, want %+v", got, want)
	}
	// The answer that said nothing new before it says nothing new now.
	if _, changed, err := payment.Decide(p, payment.Observation{Kind: payment.Accepted, Reference: "P1"}, at); changed || err != nil {
		t.Errorf("accepted again: changed %v, %v", changed, err)
	}
	// At the next threshold it is reported again.
	if again, changed, err := payment.Decide(p, overdue, at.Add(time.Hour)); !changed || err != nil || !again.OverdueAt.Equal(at.Add(time.Hour)) {
		t.Errorf("overdue again: changed %v, %v: %s", changed, err, again.OverdueAt)
	}
}

// What a doubt is about decides what ends it, so it keeps its reason.
func TestAnOverdueDoubtKeepsItsReason(t *testing.T) {
	doubt := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Accepted, Amount: payment.KRW(1)})
	p := must(t)(payment.Decide(doubt, overdue, begin.Add(time.Hour)))
	if p.Status != payment.InDoubt || p.Reason.Code != payment.ReasonAmountMismatch || !p.OverdueAt.Equal(begin.Add(time.Hour)) {
		t.Errorf("%s %+v, overdue at %s", p.Status, p.Reason, p.OverdueAt)
	}
}

func TestOverdueEndsWithTheWaiting(t *testing.T) {
	later := begin.Add(time.Hour)
	unknown := payment.Observation{Kind: payment.Unknown}
	for name, c := range map[string]struct {
		before, then []payment.Observation
	}{
		"settled": {[]payment.Observation{intend, {Kind: payment.Accepted}}, []payment.Observation{{Kind: payment.Paid}}},
		"failed":  {[]payment.Observation{intend, {Kind: payment.Accepted}}, []payment.Observation{{Kind: payment.Declined}}},
		"sent again": {
			[]payment.Observation{intend, {Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: 1}}, []payment.Observation{unknown, unknown, intend},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := must(t)(payment.Decide(decideAll(t, payment.New(deposit()), c.before...), overdue, later))
			for i, o := range c.then {
				if p.OverdueAt.IsZero() {
					t.Errorf("forgotten before %s", o.Kind)
				}
				p = must(t)(payment.Decide(p, o, later.Add(time.Duration(i)*time.Hour)))
			}
			if !p.OverdueAt.IsZero() {
				t.Errorf("%s, and still overdue at %s", p.Status, p.OverdueAt)
			}
		})
	}
}
