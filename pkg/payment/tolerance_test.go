package payment_test

import (
	"testing"

	"payonce/pkg/payment"
)

// A provider may put a little on or off an amount to tell transfers apart; what it may put on or off is the
// configuration's business, and everything beyond it is another amount.
func TestAnEchoWithinTheTolerance(t *testing.T) {
	ordered := deposit().Amount
	for name, test := range map[string]struct {
		amount    payment.Money
		tolerance int64
		want      payment.Status
	}{
		"the same":               {ordered, 0, payment.Pending},
		"more, none allowed":     {payment.Money{Minor: ordered.Minor + 1, Currency: ordered.Currency}, 0, payment.InDoubt},
		"more, the most":         {payment.Money{Minor: ordered.Minor + 10, Currency: ordered.Currency}, 10, payment.Pending},
		"less, the most":         {payment.Money{Minor: ordered.Minor - 10, Currency: ordered.Currency}, 10, payment.Pending},
		"more than the most":     {payment.Money{Minor: ordered.Minor + 11, Currency: ordered.Currency}, 10, payment.InDoubt},
		"less than the most":     {payment.Money{Minor: ordered.Minor - 11, Currency: ordered.Currency}, 10, payment.InDoubt},
		"another currency":       {payment.TWD(ordered.Minor), 10, payment.InDoubt},
		"nothing, all allowed":   {payment.Money{Minor: 0, Currency: ordered.Currency}, ordered.Minor, payment.InDoubt},
		"less than nothing":      {payment.Money{Minor: -1, Currency: ordered.Currency}, 2 * ordered.Minor, payment.InDoubt},
		"a tolerance below zero": {payment.Money{Minor: ordered.Minor + 1, Currency: ordered.Currency}, -1, payment.InDoubt},
	} {
		t.Run(name, func(t *testing.T) {
			o := payment.Observation{Kind: payment.Accepted, Source: payment.FromLookup, Amount: test.amount, AmountTolerance: test.tolerance}
			if p := decideAll(t, payment.New(deposit()), intend, o); p.Status != test.want || p.Amount != ordered {
				t.Errorf("%s of %s, %+v; want %s", p.Status, p.Amount, p.Reason, test.want)
			}
		})
	}
}

// What arrived is settled, whatever amount the provider named.
func TestSettledWithinTheTolerance(t *testing.T) {
	ordered := deposit().Amount
	arrived := payment.Money{Minor: ordered.Minor + 7, Currency: ordered.Currency}
	o := payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook, Amount: arrived, AmountTolerance: 10, SettledAmount: arrived}
	p := decideAll(t, payment.New(deposit()), intend, o)
	if p.Status != payment.Settled || p.SettledAmount != arrived || p.Amount != ordered {
		t.Errorf("%s of %s", p.Status, p.SettledAmount)
	}
}

// A deposit that the provider took, and of which the customer was never told how to pay it: that the provider
// repeats that it waits for the money is no news, and a person must be told. An outcome, or instructions, are news.
func TestADepositWithoutInstructionsIsForAPerson(t *testing.T) {
	took := payment.Observation{
		Kind: payment.Unclear, Source: payment.FromSubmit, Attempt: 1, Known: true, Reason: &payment.Reason{Code: payment.ReasonNoInstructions, Message: "no link"},
	}
	waits := payment.Observation{Kind: payment.Accepted, Source: payment.FromLookup, Amount: deposit().Amount}
	told := waits
	told.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/1"}}
	p := decideAll(t, payment.New(deposit()), intend, took, waits, waits)
	expect(t, p, payment.InDoubt, payment.ReasonNoInstructions)
	second := payment.Observation{Kind: payment.Accepted, Source: payment.FromLookup, Reference: "B", OneReference: true}
	numbered := took
	numbered.Reference = "A"
	expect(t, decideAll(t, payment.New(deposit()), intend, numbered, second), payment.InDoubt, payment.ReasonSecondReference)
	expect(t, decideAll(t, p, told), payment.Pending, "")
	expect(t, decideAll(t, p, paid), payment.Settled, "")
	expect(t, decideAll(t, p, payment.Observation{Kind: payment.Declined}), payment.Failed, payment.ReasonDeclined)
	expect(t, decideAll(t, p, payment.Observation{Kind: payment.PersonFailed}), payment.Failed, payment.ReasonResolvedByPerson)
}
