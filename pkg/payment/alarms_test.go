package payment_test

import (
	"slices"
	"testing"
	"time"

	"payonce/pkg/payment"
)

// numbered returns an observation of a provider that has one number for an order.
func numbered(k payment.Kind, reference string) payment.Observation {
	return payment.Observation{Kind: k, Source: payment.FromWebhook, Reference: reference, OneReference: true}
}

// Two numbers for one order are perhaps two payments at the provider: a person looks, whatever else the
// provider says of either.
func TestASecondReferenceIsForAPerson(t *testing.T) {
	accepted, paidB := numbered(payment.Accepted, "A"), numbered(payment.Paid, "B")
	p := decideAll(t, payment.New(deposit()), intend, accepted, paidB)
	expect(t, p, payment.InDoubt, payment.ReasonSecondReference)
	if p.ProviderReference != "A" || !p.SettledAmount.IsZero() {
		t.Errorf("the first number became %s, settled %s", p.ProviderReference, p.SettledAmount)
	}
	again := decideAll(t, p, paidB, numbered(payment.Paid, "A"), numbered(payment.Declined, "A"), numbered(payment.Reversal, "B"), intend, unknown, unknown, intend)
	expect(t, again, payment.InDoubt, payment.ReasonSecondReference)
	var said []payment.Kind
	for _, a := range again.Annotations {
		said = append(said, a.Kind)
	}
	// paidB once: a webhook that is delivered twice is no further evidence.
	if want := []payment.Kind{payment.Paid, payment.Paid, payment.Declined, payment.Reversal}; !slices.Equal(said, want) || again.Revision != p.Revision+3 {
		t.Errorf("revision %d has the annotations %v, want %v", again.Revision, said, want)
	}
	expect(t, decideAll(t, p, payment.Observation{Kind: payment.ManuallySettled}), payment.Settled, payment.ReasonResolvedByPerson)

	p = decideAll(t, payment.New(deposit()), intend, accepted, numbered(payment.Paid, "A"), numbered(payment.Accepted, "B"))
	expect(t, p, payment.Conflict, payment.ReasonSecondReference)
	if p.ProviderReference != "A" {
		t.Errorf("the first number became %s", p.ProviderReference)
	}
}

// Where each attempt of the customer has a number of its own, another number is nothing to worry about.
func TestAReferenceMayChangeWhereTheProviderHasMany(t *testing.T) {
	p := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Accepted, Reference: "1"}, payment.Observation{Kind: payment.Paid, Reference: "2"})
	if p.Status != payment.Settled || p.ProviderReference != "2" {
		t.Errorf("%s as %s", p.Status, p.ProviderReference)
	}
}

// Part of the money went back: no status says how much is left, so a person does.
func TestAPartialReversalIsForAPerson(t *testing.T) {
	partly := payment.Observation{Kind: payment.PartialReversal, Source: payment.FromWebhook}
	settled := decideAll(t, payment.New(deposit()), intend, paid)
	expect(t, decideAll(t, settled, partly), payment.Conflict, payment.ReasonPartlyReversed)
	// The settlement was missed, and reported late: the amount of then is not that of now.
	p := decideAll(t, payment.New(deposit()), intend, partly, paid)
	expect(t, p, payment.InDoubt, payment.ReasonPartlyReversed)
	back := decideAll(t, settled, payment.Observation{Kind: payment.Reversal})
	if late := decideAll(t, back, partly); late.Revision != back.Revision {
		t.Errorf("%s after all went back", late.Status)
	}
}

// What is reversed must be what was ordered.
func TestAReversalOfAnotherAmountIsForAPerson(t *testing.T) {
	back := payment.Observation{Kind: payment.Reversal, Amount: payment.KRW(4000)}
	settled := decideAll(t, payment.New(deposit()), intend, paid)
	expect(t, decideAll(t, settled, back), payment.Conflict, payment.ReasonAmountMismatch)
	expect(t, decideAll(t, payment.New(deposit()), intend, back), payment.InDoubt, payment.ReasonAmountMismatch)
	back.Amount = payment.KRW(10000)
	expect(t, decideAll(t, settled, back), payment.Reversed, payment.ReasonReversed)
}

// A conflict keeps its first reason, and so what is said later of other money as an annotation, each once.
func TestAConflictKeepsWhatIsSaidOfOtherMoney(t *testing.T) {
	p := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Declined, Source: payment.FromWebhook}, paid)
	expect(t, p, payment.Conflict, payment.ReasonContradiction)
	other := payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook, Amount: payment.KRW(4000)}
	said := decideAll(t, p, other, other, payment.Observation{Kind: payment.Paid, Source: payment.FromLookup, Amount: payment.KRW(4001)})
	expect(t, said, payment.Conflict, payment.ReasonContradiction)
	if len(said.Annotations) != 2 || said.Annotations[0].Reason.Message != "amount 4000 KRW" || said.Revision != p.Revision+2 {
		t.Errorf("revision %d has %+v", said.Revision, said.Annotations)
	}
}

// A payment in conflict shows the person who decides all that the provider has said, each once.
func TestAConflictKeepsWhatWasSaid(t *testing.T) {
	heard := func(p payment.Payment, want ...payment.Kind) {
		t.Helper()
		if p.Status != payment.Conflict || !slices.Equal(p.Evidence, want) {
			t.Errorf("%s, heard %v, want %v", p.Status, p.Evidence, want)
		}
	}
	declined, back := payment.Observation{Kind: payment.Declined}, payment.Observation{Kind: payment.Reversal}
	p := decideAll(t, payment.New(deposit()), intend, paid, declined)
	heard(p, payment.Declined, payment.Paid)
	if again := decideAll(t, p, paid, declined, declined); again.Revision != p.Revision {
		t.Error("what was said before made a new event")
	}
	p = decideAll(t, p, back, back)
	heard(p, payment.Declined, payment.Paid, payment.Reversal)
	expect(t, p, payment.Conflict, payment.ReasonContradiction)
	if p = decideAll(t, p, payment.Observation{Kind: payment.ManuallyFailed}); p.Evidence != nil {
		t.Errorf("after the decision: %v", p.Evidence)
	}
	heard(decideAll(t, payment.New(deposit()), intend, declined, paid), payment.Declined, payment.Paid)
	heard(decideAll(t, payment.New(deposit()), intend, paid, back, payment.Observation{Kind: payment.Paid, SettledAmount: payment.KRW(1)}), payment.Paid, payment.Reversal)
}

// A settlement that named no transfer, and then a transfer of just this amount: it may be the same money
// or more. To take it for the same without an event would hide the next transfer of this amount, and a
// second settled event would be paid out twice by a ledger. So a person looks.
func TestTheSameTotalIsNotTheSameMoney(t *testing.T) {
	looked := payment.Observation{Kind: payment.Paid, Source: payment.FromLookup, Amount: payment.KRW(10000), SettledAmount: payment.KRW(10000)}
	transfer := payment.Observation{Kind: payment.Paid, Source: payment.FromWebhook, Transfers: []payment.Transfer{{Reference: "r1", Amount: payment.KRW(10000)}}}
	p := decideAll(t, payment.New(deposit()), intend, looked, transfer)
	expect(t, p, payment.Conflict, payment.ReasonExtraTransfer)
	if p.SettledAmount != payment.KRW(10000) || len(p.Transfers) != 1 {
		t.Errorf("settled %s with %v", p.SettledAmount, p.Transfers)
	}
	// The other way round the look-up says nothing new.
	settled := decideAll(t, payment.New(deposit()), intend, transfer)
	if after := decideAll(t, settled, payment.Observation{Kind: payment.Paid, Transfers: transfer.Transfers, SettledAmount: payment.KRW(10000)}); after.Revision != settled.Revision {
		t.Errorf("%s after the same transfer", after.Status)
	}
}

// Whatever the clocks of the workers say, and however long one waited for its append: a person who was told before a
// statement was written was not told of it, and one who was told after it was.
func TestAnAnnotationAndAnAlarmHaveAnOrder(t *testing.T) {
	says := func(code string) payment.Observation {
		return payment.Observation{Kind: payment.Indeterminate, Source: payment.FromWebhook, Reason: &payment.Reason{Code: payment.ReasonIndeterminate, ProviderCode: code}}
	}
	told := payment.Observation{Kind: payment.Overdue, Source: payment.FromWorker, Reason: &payment.Reason{Code: payment.ReasonUnexplained}}
	p := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Accepted})
	at := p.UpdatedAt
	for n, step := range []struct {
		o     payment.Observation
		after time.Duration
		want  bool
	}{
		{says("1"), time.Hour, true},
		{told, time.Minute, false}, // by a slow clock
		{says("2"), time.Second, true},
		{told, 0, false},
		{says("3"), 2 * time.Hour, true},
		{told, 3 * time.Hour, false},
	} {
		next, changed, err := payment.Decide(p, step.o, at.Add(step.after))
		if err != nil || !changed || next.Unexplained() != step.want {
			t.Fatalf("step %d: changed %t, unexplained %t, %v", n, changed, next.Unexplained(), err)
		}
		if step.o.Kind == payment.Overdue && !next.OverdueAt.Equal(next.UpdatedAt) {
			t.Errorf("step %d: told at %s, written at %s", n, next.OverdueAt, next.UpdatedAt)
		}
		p = next
	}
}
