package reconcile_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// agreeing is what the provider's statement says of a payment of ours when both agree; empty when they need not have it.
var agreeing = map[payment.Status]payment.Kind{
	payment.Submitting: payment.Accepted, payment.InDoubt: payment.Accepted, payment.Pending: payment.Accepted, payment.Conflict: payment.Accepted,
	payment.Settled: payment.Paid, payment.Failed: payment.Declined, payment.Reversed: payment.Reversal, payment.Parked: "",
}

// drawn is a log and the statement made from it: payments around and in the day, with clocks that differ by at most the
// margin, some sent more than once, in an order of their own.
func drawn(t *rapid.T) (*compared, []payment.Payment) {
	c := comparing()
	c.covered = day.Widened(2 * time.Hour) // what was sent again was sent at most half an hour earlier
	margin := int(c.rules.Margin / time.Millisecond)
	skew := time.Duration(rapid.IntRange(-margin, margin).Draw(t, "skew")) * time.Millisecond
	var all []payment.Payment
	for i := range rapid.IntRange(0, 30).Draw(t, "payments") {
		at := day.From.Add(time.Duration(rapid.IntRange(-3*3600, 27*3600).Draw(t, "at")) * time.Second)
		status := rapid.SampledFrom(payment.Statuses()[1:]).Draw(t, "status")
		p := ordered(fmt.Sprintf("o-%d", i), at)
		if rapid.Bool().Draw(t, "payout") {
			p.Operation = payment.Payout
		}
		p.Amount = payment.KRW(rapid.Int64Range(1, 1e9).Draw(t, "amount"))
		if rapid.IntRange(0, 4).Draw(t, "again") == 0 {
			p = c.log.sent(p, at.Add(-time.Duration(rapid.IntRange(1, 1800).Draw(t, "earlier"))*time.Second))
		}
		if p = c.log.sent(p, at); status != payment.Submitting {
			p = c.log.became(p, status)
		}
		all = append(all, p)
		if kind := agreeing[status]; kind != "" {
			l := entry(p.Order, at.Add(skew).Truncate(time.Millisecond), kind)
			l.Operation, l.Observation.Amount = p.Operation, p.Amount
			if kind == payment.Paid {
				l.Observation.SettledAmount = p.SettledAmount
			}
			c.lines = append(c.lines, l)
		}
	}
	c.lines = rapid.Permutation(c.lines).Draw(t, "lines")
	return c, all
}

// Statement that are made from a log agree with it.
func TestStatementOfALogAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, all := drawn(t)
		found, s := c.run(t)
		if len(found) > 0 || s.Matched != s.Compared || s.Findings+s.Noted > 0 {
			t.Fatalf("%q, %+v of %d", found, s, len(all))
		}
	})
}

// inside reports whether a line is one that is judged.
func inside(l connectors.StatementLine) bool { return day.Holds(l.CreatedAt) }

// planted are differences that are planted into the line i of a comparison that agrees. Each returns what must be
// found; empty when it does not fit this line.
var planted = map[string]func(c *compared, i int, ours payment.Payment) reconcile.FindingKind{
	"hidden here": func(c *compared, i int, ours payment.Payment) reconcile.FindingKind {
		c.lines[i].Order = "hidden-" + c.lines[i].Order
		if ours.Status != payment.Failed { // what we then have alone is another difference
			c.lines = append(c.lines, with(c.lines[i], func(l *connectors.StatementLine) { l.Order = ours.Order }))
		}
		return reconcile.MissingHere
	},
	"hidden there": func(c *compared, i int, ours payment.Payment) reconcile.FindingKind {
		if !day.Holds(ours.SubmittedAt) {
			return ""
		}
		c.lines = slices.Delete(c.lines, i, i+1)
		switch ours.Status {
		case payment.Settled, payment.Reversed:
			return reconcile.MissingThere
		case payment.Failed:
			return ""
		}
		return reconcile.OpenHere
	},
	"another amount": func(c *compared, i int, _ payment.Payment) reconcile.FindingKind {
		c.lines[i].Observation.Amount.Minor++
		return reconcile.AmountDiffers
	},
	"another currency": func(c *compared, i int, _ payment.Payment) reconcile.FindingKind {
		c.lines[i].Observation.Amount.Currency = "TWD"
		return reconcile.AmountDiffers
	},
	"another number": func(c *compared, i int, ours payment.Payment) reconcile.FindingKind {
		if ours.ProviderReference == "" {
			return ""
		}
		c.lines[i].Observation.Reference += "x"
		return reconcile.ReferenceDiffers
	},
	"charged twice": func(c *compared, i int, ours payment.Payment) reconcile.FindingKind {
		if ours.Status == payment.Failed {
			return ""
		}
		c.lines = append(c.lines, with(c.lines[i], func(l *connectors.StatementLine) { l.Observation.Reference += "x" }))
		return reconcile.ChargedTwice
	},
	"unknown": func(c *compared, i int, _ payment.Payment) reconcile.FindingKind {
		c.lines[i].Observation.Kind = payment.Indeterminate
		return reconcile.Indeterminate
	},
	"paid there": func(c *compared, i int, ours payment.Payment) reconcile.FindingKind {
		l := &c.lines[i].Observation
		l.Kind, l.SettledAmount = payment.Paid, ours.Amount
		return map[payment.Status]reconcile.FindingKind{
			payment.Settled: "", payment.Failed: reconcile.PaidThere, payment.Reversed: reconcile.PaidThere,
			payment.Submitting: reconcile.FinalThere, payment.InDoubt: reconcile.FinalThere, payment.Pending: reconcile.FinalThere, payment.Conflict: reconcile.FinalThere,
		}[ours.Status]
	},
	"declined there": func(c *compared, i int, ours payment.Payment) reconcile.FindingKind {
		l := &c.lines[i].Observation
		l.Kind, l.SettledAmount = payment.Declined, payment.Money{}
		return map[payment.Status]reconcile.FindingKind{
			payment.Settled: reconcile.DeclinedThere, payment.Failed: "", payment.Reversed: reconcile.DeclinedThere,
			payment.Submitting: reconcile.FinalThere, payment.InDoubt: reconcile.FinalThere, payment.Pending: reconcile.FinalThere, payment.Conflict: reconcile.FinalThere,
		}[ours.Status]
	},
	"reversed there": func(c *compared, i int, ours payment.Payment) reconcile.FindingKind {
		c.lines[i].Observation.Kind = payment.Reversal
		return map[payment.Status]reconcile.FindingKind{
			payment.Settled: reconcile.ReversalThere, payment.Failed: reconcile.ReversalThere, payment.Reversed: "",
			payment.Submitting: reconcile.FinalThere, payment.InDoubt: reconcile.FinalThere, payment.Pending: reconcile.FinalThere, payment.Conflict: reconcile.FinalThere,
		}[ours.Status]
	},
	"open there": func(c *compared, i int, ours payment.Payment) reconcile.FindingKind {
		c.lines[i].Observation.Kind = payment.Accepted
		if ours.Status == payment.Settled || ours.Status == payment.Failed || ours.Status == payment.Reversed {
			return reconcile.OpenThere
		}
		return ""
	},
}

// One difference that is planted is found, and nothing else.
func TestAPlantedDifferenceIsFound(t *testing.T) {
	for name, plant := range planted {
		t.Run(name, func(t *testing.T) {
			bit := 0
			rapid.Check(t, func(t *rapid.T) {
				c, all := drawn(t)
				at := slices.IndexFunc(c.lines, inside)
				if at < 0 {
					return
				}
				i := slices.IndexFunc(all, func(p payment.Payment) bool { return p.Order == c.lines[at].Order })
				kind := plant(c, at, all[i])
				want := []string{}
				if kind != "" {
					bit++
					order := all[i].Order
					if kind == reconcile.MissingHere {
						order = "hidden-" + order
					}
					want = append(want, string(kind)+" "+order)
				}
				if found, s := c.run(t); !slices.Equal(found, want) && len(found)+len(want) > 0 {
					t.Fatalf("%s of a payment that is %s: found %q, want %q; %+v", name, all[i].Status, found, want, s)
				}
			})
			if bit == 0 {
				t.Error("it was never planted")
			}
		})
	}
}
