package payment_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
)

var seoul = time.FixedZone("", 9*60*60)

// outcome is what a webhook tells of a fee and a time.
func outcome(kind payment.Kind, fee payment.Fee, change ...func(*payment.Observation)) payment.Observation {
	o := payment.Observation{Kind: kind, Source: payment.FromWebhook, Report: payment.Report{Fee: fee, CompletedAt: begin.In(seoul)}}
	for _, c := range change {
		c(&o)
	}
	return o
}

func codes(p payment.Payment) (all []string) {
	for _, a := range p.Annotations {
		all = append(all, a.Reason.Code)
	}
	return all
}

// An outcome has the fee and the time as the provider told them: absent is not zero, and what contradicts is flagged.
func TestWhatAnOutcomeTellsLedgers(t *testing.T) {
	of := func(reference string, amount int64, fee payment.Fee) payment.Transfer {
		return payment.Transfer{Reference: reference, Amount: payment.KRW(amount), Fee: fee}
	}
	with := func(transfers ...payment.Transfer) func(*payment.Observation) {
		return func(o *payment.Observation) { o.Transfers = transfers }
	}
	none := payment.Fee{}
	for name, c := range map[string]struct {
		o      payment.Observation
		fee    payment.Fee
		untold bool // the time
		flags  []string
	}{
		"settled":                 {o: outcome(payment.Paid, won(t, "110.02")), fee: won(t, "110.02")},
		"a fee of nothing":        {o: outcome(payment.Paid, won(t, "0")), fee: won(t, "0")},
		"no fee told":             {o: outcome(payment.Paid, none)},
		"nothing told":            {o: payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook}, untold: true},
		"failed":                  {o: outcome(payment.Declined, won(t, "5"))},
		"of one transfer":         {o: outcome(payment.Paid, none, with(of("a", 10000, won(t, "15.5")))), fee: won(t, "15.5")},
		"of two transfers":        {o: outcome(payment.Paid, none, with(of("a", 6000, won(t, "65")), of("b", 4000, won(t, "45.02")))), fee: won(t, "110.02")},
		"of one transfer of two":  {o: outcome(payment.Paid, none, with(of("a", 6000, won(t, "65")), of("b", 4000, none)))},
		"of the other one of two": {o: outcome(payment.Paid, none, with(of("a", 6000, none), of("b", 4000, won(t, "45.02"))))},
		"of transfers and whole":  {o: outcome(payment.Paid, won(t, "7"), with(of("a", 6000, won(t, "65")), of("b", 4000, none))), fee: won(t, "7")},
		"as much as the payment":  {o: outcome(payment.Paid, won(t, "10000")), fee: won(t, "10000")},
		"more than the payment":   {o: outcome(payment.Paid, won(t, "10000.01")), fee: won(t, "10000.01"), flags: []string{payment.ReasonFeeImpossible}},
		"more than what settled":  {o: outcome(payment.Paid, won(t, "9000.5"), func(o *payment.Observation) { o.SettledAmount = payment.KRW(9000) }), fee: won(t, "9000.5"), flags: []string{payment.ReasonFeeImpossible}},
		"less than zero":          {o: outcome(payment.Paid, won(t, "-1")), fee: won(t, "-1"), flags: []string{payment.ReasonFeeImpossible}},
		"in another currency":     {o: outcome(payment.Paid, payment.Fee{Hundredths: 100, Currency: "TWD"}), fee: payment.Fee{Hundredths: 100, Currency: "TWD"}, flags: []string{payment.ReasonFeeImpossible}},
		"that cannot be read": {o: outcome(payment.Paid, none, func(o *payment.Observation) {
			o.Report.Unread, o.Report.CompletedAt = []payment.Reason{payment.UnreadFee("fee"), payment.UnreadTime("time")}, time.Time{}
		}), untold: true, flags: []string{payment.ReasonFeeUnreadable, payment.ReasonCompletionUnreadable}},
		"that cannot be written":             {o: outcome(payment.Paid, payment.Fee{Hundredths: math.MaxInt64, Currency: "KRW"}), fee: none, flags: []string{payment.ReasonFeeUnreadable}},
		"of a transfer, cannot be written":   {o: outcome(payment.Paid, none, with(of("a", 10000, payment.Fee{Hundredths: 5, Currency: "USD"})))},
		"at a time that cannot be written":   {o: outcome(payment.Paid, none, func(o *payment.Observation) { o.Report.CompletedAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }), untold: true, flags: []string{payment.ReasonCompletionUnreadable}},
		"transfers' fees that are too large": {o: outcome(payment.Paid, none, with(of("a", 6000, won(t, "999999999999999")), of("b", 4000, won(t, "999999999999999"))))},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideAll(t, payment.New(deposit()), intend, c.o)
			if !p.Status.Ended() || p.Fee != c.fee || !slices.Equal(codes(p), c.flags) {
				t.Errorf("%s with the fee %+v and %v, want %+v and %v", p.Status, p.Fee, codes(p), c.fee, c.flags)
			}
			if at := p.ProviderCompletedAt; at.IsZero() != c.untold || !c.untold && (!at.Equal(begin) || at.Format("-07:00") != "+09:00") {
				t.Errorf("completed at %s", at)
			}
		})
	}
}

// What is told of a payment that is open is not a fee of an outcome, and one that a person failed cost nothing.
func TestFeesThatAreNotOfAnOutcome(t *testing.T) {
	open := decideAll(t, payment.New(deposit()), intend, outcome(payment.Accepted, won(t, "5")))
	mismatch := decideAll(t, payment.New(deposit()), intend, outcome(payment.Paid, won(t, "5"), func(o *payment.Observation) { o.Amount = payment.KRW(1) }))
	conflict := decideAll(t, payment.New(deposit()), intend, outcome(payment.Paid, won(t, "5")), payment.Observation{Kind: payment.Declined, Source: payment.FromWebhook})
	failed := decideAll(t, conflict, payment.Observation{Kind: payment.ManuallyFailed, Source: payment.FromPerson, Reason: &payment.Reason{Code: payment.ReasonResolvedByPerson, By: "kim"}})
	for want, p := range map[payment.Status]payment.Payment{payment.Pending: open, payment.InDoubt: mismatch, payment.Failed: failed} {
		if p.Status != want || !p.Fee.IsZero() || !p.ProviderCompletedAt.IsZero() {
			t.Errorf("%s with the fee %v at %s, want %s without", p.Status, p.Fee, p.ProviderCompletedAt, want)
		}
	}
	if conflict.Status != payment.Conflict || conflict.Fee != won(t, "5") {
		t.Errorf("%s with the fee %v", conflict.Status, conflict.Fee)
	}
	impossible := decideAll(t, payment.New(deposit()), intend, outcome(payment.Paid, won(t, "5")), outcome(payment.Paid, won(t, "6"), func(o *payment.Observation) { o.SettledAmount = payment.KRW(-1) }))
	if impossible.Status != payment.Conflict || impossible.Fee != won(t, "5") || impossible.SettledAmount != payment.KRW(10000) {
		t.Errorf("%s of %s with the fee %v, which is that of money that cannot have moved", impossible.Status, impossible.SettledAmount, impossible.Fee)
	}
}

// The same payment told again with another fee is the same payment: no conflict, and nothing is written.
func TestAnotherFeeIsNoOtherOutcome(t *testing.T) {
	one := outcome(payment.Paid, payment.Fee{}, func(o *payment.Observation) {
		o.Transfers = []payment.Transfer{{Reference: "a", Amount: payment.KRW(10000), Fee: won(t, "15")}}
	})
	untold, other := one, one
	untold.Transfers = []payment.Transfer{{Reference: "a", Amount: payment.KRW(10000)}}
	other.Transfers = []payment.Transfer{{Reference: "a", Amount: payment.KRW(10000), Fee: won(t, "16")}}
	p := decideAll(t, payment.New(deposit()), intend, one)
	for name, again := range map[string]struct {
		o    payment.Observation
		more bool
	}{"the same": {one, false}, "without the fee": {untold, false}, "another fee": {other, true}} {
		next, changed, err := payment.Decide(p, again.o, begin.Add(time.Hour))
		if changed || err != nil || next.Fee != won(t, "15") {
			t.Errorf("%s: changed %v, %v, the fee is %s", name, changed, err, next.Fee)
		}
		if p.ReportsMore(again.o) != again.more {
			t.Errorf("%s: tells more: %v", name, !again.more)
		}
	}
	if bare := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Paid}); !bare.ReportsMore(outcome(payment.Paid, won(t, "1"))) ||
		!bare.ReportsMore(outcome(payment.Paid, payment.Fee{})) || bare.ReportsMore(payment.Observation{Kind: payment.Paid}) || bare.ReportsMore(outcome(payment.Declined, won(t, "1"))) {
		t.Error("what is told after an outcome is not noticed")
	}
}

// What a person decides about a conflict, and what the provider tells later, leaves a fee only where it is that of the amount; an
// earlier contradiction is not held against a later fee.
func TestFeeAfterAConflict(t *testing.T) {
	transfer := func(reference string, amount int64, fee string) payment.Observation {
		return outcome(payment.Paid, payment.Fee{}, func(o *payment.Observation) {
			o.Transfers = []payment.Transfer{{Reference: reference, Amount: payment.KRW(amount), Fee: won(t, fee)}}
		})
	}
	settle := func(amount int64) payment.Observation {
		return payment.Observation{Kind: payment.ManuallySettled, Source: payment.FromPerson, SettledAmount: payment.KRW(amount)}
	}
	for name, c := range map[string]struct {
		told  []payment.Observation
		fee   payment.Fee
		flags []string
	}{
		"settled with less":         {[]payment.Observation{transfer("a", 10000, "500"), transfer("b", 1, "1"), settle(400)}, payment.Fee{}, nil},
		"settled as told":           {[]payment.Observation{transfer("a", 10000, "500"), transfer("b", 1, "1"), settle(10001)}, won(t, "501"), nil},
		"of a part, impossible":     {[]payment.Observation{transfer("a", 100, "500")}, won(t, "500"), []string{payment.ReasonFeeImpossible}},
		"of the rest, possible":     {[]payment.Observation{transfer("a", 100, "500"), transfer("b", 9900, "15")}, won(t, "515"), nil},
		"impossible, then by hand":  {[]payment.Observation{transfer("a", 100, "500"), transfer("b", 1, "1"), settle(9000)}, payment.Fee{}, nil},
		"another in the conflict":   {[]payment.Observation{transfer("a", 10000, "500"), transfer("b", 1, "1"), transfer("b", 1, "2"), transfer("a", 10000, "-3")}, won(t, "501"), nil},
		"another whole in conflict": {[]payment.Observation{outcome(payment.Paid, won(t, "5")), outcome(payment.Declined, payment.Fee{}), outcome(payment.Paid, won(t, "-6"))}, won(t, "5"), nil},
	} {
		p := decideAll(t, payment.New(deposit()), append([]payment.Observation{intend}, c.told...)...)
		flags := slices.DeleteFunc(codes(p), func(code string) bool { return !strings.HasPrefix(code, "fee_") })
		if p.Fee != c.fee || !slices.Equal(flags, c.flags) || p.FeeImpossible() != (len(c.flags) > 0) {
			t.Errorf("%s: %s of %s with the fee %v and %v, want %v and %v", name, p.Status, p.SettledAmount, p.Fee, flags, c.fee, c.flags)
		}
	}
}

// A provider that tells another fee or another time again and again makes no further events of a conflict.
func TestReportsInAConflictAreBounded(t *testing.T) {
	at := func(i int) func(*payment.Observation) {
		return func(o *payment.Observation) { o.Report.CompletedAt = begin.Add(time.Duration(i) * time.Minute) }
	}
	for name, again := range map[string]func(i int) payment.Observation{
		"whole": func(i int) payment.Observation { return outcome(payment.Paid, won(t, fmt.Sprint(-i)), at(i)) },
		"times": func(i int) payment.Observation { return outcome(payment.Paid, payment.Fee{}, at(i)) },
		"transfers": func(i int) payment.Observation {
			return outcome(payment.Paid, payment.Fee{}, func(o *payment.Observation) {
				o.Transfers = []payment.Transfer{{Reference: "a", Amount: payment.KRW(10000), Fee: won(t, fmt.Sprint(i+1))}}
			})
		},
	} {
		p := decideAll(t, payment.New(deposit()), intend, again(0), outcome(payment.Declined, payment.Fee{}))
		if p.Status != payment.Conflict {
			t.Fatal(p.Status)
		}
		written := 0
		for i := range 50 {
			next, changed, err := payment.Decide(p, again(i+1), begin.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if changed {
				written++
			}
			p = next
		}
		if written > 1 {
			t.Errorf("%s: %d events", name, written)
		}
	}
}
