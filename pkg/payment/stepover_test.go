package payment_test

import (
	"errors"
	"testing"
	"time"

	"payonce/pkg/payment"
)

// What a payment becomes when a person steps over events that cannot be read: never something that is sent without the
// provider's word, and never another outcome.
func TestStepOver(t *testing.T) {
	stood := func(observations ...payment.Observation) payment.Payment {
		return decideAll(t, payment.New(deposit()), observations...)
	}
	park := payment.Observation{Kind: payment.Park, ResumeAt: begin.Add(time.Hour)}
	accepted := payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, Attempt: 1}
	indeterminate := payment.Observation{Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: 1}
	nothing := payment.Payment{Ref: deposit().Ref, Operation: payment.Deposit, Status: payment.Requested}
	second := indeterminate
	second.Reason = &payment.Reason{Code: payment.ReasonSecondReference}
	for name, c := range map[string]struct {
		before  payment.Payment
		skipped []payment.Status
		want    payment.Status
		reason  string
		mayGo   bool // it may be sent again once the provider says twice that it does not know it
	}{
		"nothing before":                    {payment.New(deposit()), []payment.Status{payment.Submitting}, payment.InDoubt, payment.ReasonUnreadable, false},
		"nothing before, and no command":    {nothing, []payment.Status{payment.Settled}, payment.Conflict, payment.ReasonUnreadable, false},
		"parked, then the intent":           {stood(park), []payment.Status{payment.Submitting}, payment.InDoubt, payment.ReasonUnreadable, true},
		"parked, then parked":               {stood(park), []payment.Status{payment.Parked}, payment.InDoubt, payment.ReasonUnreadable, true},
		"parked, then settled":              {stood(park), []payment.Status{payment.Settled}, payment.InDoubt, payment.ReasonUnreadable, false},
		"parked, then two":                  {stood(park), []payment.Status{payment.Submitting, payment.Pending}, payment.InDoubt, payment.ReasonUnreadable, false},
		"submitting, then parked":           {stood(intend), []payment.Status{payment.Parked}, payment.InDoubt, payment.ReasonUnreadable, true},
		"submitting, then in doubt":         {stood(intend), []payment.Status{payment.InDoubt}, payment.InDoubt, payment.ReasonUnreadable, false},
		"submitting, then failed":           {stood(intend), []payment.Status{payment.Failed}, payment.InDoubt, payment.ReasonUnreadable, false},
		"unknown twice, then the intent":    {stood(intend, indeterminate, unknown, unknown), []payment.Status{payment.Submitting}, payment.InDoubt, payment.ReasonUnreadable, true},
		"a second number, then in doubt":    {stood(intend, second), []payment.Status{payment.InDoubt}, payment.InDoubt, payment.ReasonSecondReference, false},
		"pending, then pending":             {stood(intend, accepted), []payment.Status{payment.Pending}, payment.Pending, "", false},
		"pending, then settled":             {stood(intend, accepted), []payment.Status{payment.Settled}, payment.InDoubt, payment.ReasonUnreadable, false},
		"pending, then in doubt":            {stood(intend, accepted), []payment.Status{payment.InDoubt}, payment.InDoubt, payment.ReasonUnreadable, false},
		"settled, then anything":            {stood(intend, paid), []payment.Status{payment.Pending, payment.Failed}, payment.Settled, "", false},
		"failed, then the intent":           {stood(payment.Observation{Kind: payment.Refuse}), []payment.Status{payment.Submitting}, payment.Failed, payment.ReasonInvalid, false},
		"reversed, then settled":            {stood(intend, payment.Observation{Kind: payment.Reversal}), []payment.Status{payment.Settled}, payment.Reversed, payment.ReasonReversed, false},
		"settled, then a subject of no use": {stood(intend, paid), []payment.Status{""}, payment.Settled, "", false},
		"parked, then a subject of no use":  {stood(park), []payment.Status{""}, payment.InDoubt, payment.ReasonUnreadable, false},
	} {
		t.Run(name, func(t *testing.T) {
			late := begin.Add(100 * time.Hour)
			var skipped []payment.Skipped
			for _, s := range c.skipped {
				late = late.Add(time.Second)
				skipped = append(skipped, payment.Skipped{Status: s, At: late})
			}
			p := payment.StepOver(c.before, skipped, payment.Reason{By: "kim", Message: "ticket 1"}, late.Add(time.Hour))
			expect(t, p, c.want, c.reason)
			if p.Revision != c.before.Revision+len(skipped)+1 || p.Fingerprint != c.before.Fingerprint || p.Amount != c.before.Amount {
				t.Errorf("%+v after %+v", p, c.before)
			}
			checkWritten(t, p)
			// What may follow is the program's: an intent only by the provider's word, each given late enough.
			for at, answers := late.Add(time.Hour), 0; answers < 3; answers++ {
				if _, _, err := payment.Decide(p, intend, at); !errors.Is(err, payment.ErrForbidden) {
					t.Fatalf("sent after %d answers", answers)
				}
				at = at.Add(2 * settling)
				if p, _, _ = payment.Decide(p, unknown, at); answers == 1 {
					break
				}
			}
			_, _, err := payment.Decide(p, intend, late.Add(time.Hour+10*settling))
			if (err == nil) != c.mayGo {
				t.Errorf("sent again after the provider's word: %v, want %t", err, c.mayGo)
			}
		})
	}
}

// The answer "I do not know this order" does not count before the event that may have been the intent is old enough.
func TestSkippedIntentIsAsYoungAsItsEvent(t *testing.T) {
	p := decideAll(t, payment.New(deposit()), payment.Observation{Kind: payment.Park, ResumeAt: begin})
	at := begin.Add(24 * time.Hour)
	p = payment.StepOver(p, []payment.Skipped{{Status: payment.Submitting, At: at}}, payment.Reason{By: "kim", Message: "x"}, at.Add(time.Second))
	if p, _, _ = payment.Decide(p, unknown, at.Add(settling-1)); p.NotFound != 0 {
		t.Errorf("believed %d times: %+v", p.NotFound, p)
	}
	if p.Attempts != 1 || p.Requests() != 1 || !p.OpenSince().Equal(at) {
		t.Errorf("%+v", p)
	}
}
