package payment_test

import (
	"testing"

	"payonce/pkg/payment"
)

// A provider may put a little on or off an amount to distinguish transfers; what it may put on or off is the
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

// What the provider would have the customer do is kept from the customer while the amount is in doubt, and shown to
// the people who decide. It ends with the doubt.
func TestAnActionIsWithheldWhileTheAmountIsInDoubt(t *testing.T) {
	other := payment.Money{Minor: deposit().Amount.Minor + 1, Currency: deposit().Amount.Currency}
	act := func(account string) *payment.Action {
		return &payment.Action{Type: payment.ActionTransfer, Transfer: &payment.TransferInstructions{AccountNumber: account}}
	}
	accepted := func(amount payment.Money, action *payment.Action) payment.Observation {
		return payment.Observation{Kind: payment.Accepted, Source: payment.FromLookup, Amount: amount, Action: action}
	}
	holds := func(p payment.Payment, want string) {
		t.Helper()
		if p.Status != payment.InDoubt || p.Action != nil || p.WithheldAction == nil || p.WithheldAction.Transfer.AccountNumber != want {
			t.Errorf("%s, action %+v, withheld %+v, want %s", p.Status, p.Action, p.WithheldAction, want)
		}
	}
	p := decideAll(t, payment.New(deposit()), intend, accepted(other, act("1")))
	holds(p, "1")
	holds(decideAll(t, p, accepted(other, nil)), "1")
	holds(decideAll(t, payment.New(deposit()), intend, accepted(deposit().Amount, act("2")), accepted(other, nil)), "2")
	for _, o := range []payment.Observation{accepted(deposit().Amount, nil), {Kind: payment.Paid, SettledAmount: other}, {Kind: payment.Declined}, {Kind: payment.ManuallyFailed}} {
		if ended := decideAll(t, p, o); ended.Status == payment.InDoubt || ended.WithheldAction != nil {
			t.Errorf("%s: %s, withheld %+v", o.Kind, ended.Status, ended.WithheldAction)
		}
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
		Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: 1, Known: true, Reason: &payment.Reason{Code: payment.ReasonNoInstructions, Message: "no link"},
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
	expect(t, decideAll(t, p, payment.Observation{Kind: payment.ManuallyFailed}), payment.Failed, payment.ReasonResolvedByPerson)
}

// A deposit whose answer was lost, found by a look-up that cannot say how to pay, is pending and for a person. One
// whose customer was told how to pay is not.
func TestADepositThatIsFoundWithoutInstructionsIsForAPerson(t *testing.T) {
	lost := payment.Observation{Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: 1, Reason: &payment.Reason{Code: payment.ReasonNoAnswer}}
	found := payment.Observation{
		Kind: payment.Accepted, Source: payment.FromLookup, Amount: deposit().Amount, Reason: &payment.Reason{Code: payment.ReasonNoInstructions},
	}
	action := &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/1"}}
	p := decideAll(t, payment.New(deposit()), intend, lost, found)
	expect(t, p, payment.Pending, payment.ReasonNoInstructions)
	if again := decideAll(t, p, found, payment.Observation{Kind: payment.Accepted, Source: payment.FromLookup}); again.Revision != p.Revision {
		t.Errorf("the same answer again is revision %d of %d", again.Revision, p.Revision)
	}
	expect(t, decideAll(t, p, payment.Observation{Kind: payment.Accepted, Source: payment.FromWebhook, Action: action}), payment.Pending, "")
	told := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, Attempt: 1, Action: action})
	if again := decideAll(t, told, found); again.Revision != told.Revision || again.Action == nil || again.Reason != nil {
		t.Errorf("%+v", again)
	}
	payout := deposit()
	payout.Operation = payment.Payout
	expect(t, decideAll(t, payment.New(payout), intend, lost, found), payment.Pending, "")
}
