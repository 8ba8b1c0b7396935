package payment_test

import (
	"errors"
	"testing"
	"time"

	"payonce/pkg/payment"
)

// decideAll applies observations one after the other, each to its fixpoint, a minute apart, and reads
// the payment back after each as another worker would.
func decideAll(t *testing.T, p payment.Payment, observations ...payment.Observation) payment.Payment {
	t.Helper()
	now := begin
	for _, o := range observations {
		now = now.Add(2 * settling)
		for changed := true; changed; {
			if p, changed, _ = payment.Decide(p, o, now); changed {
				p = checkWritten(t, p)
			}
		}
	}
	return p
}

func expect(t *testing.T, p payment.Payment, s payment.Status, reason string) {
	t.Helper()
	code := ""
	if p.Reason != nil {
		code = p.Reason.Code
	}
	if p.Status != s || code != reason {
		t.Errorf("got %s because of %q, want %s because of %q", p.Status, code, s, reason)
	}
}

var (
	intend  = payment.Observation{Kind: payment.Intend}
	unknown = payment.Observation{Kind: payment.Unknown, Source: payment.FromLookup, Settling: settling}
	paid    = payment.Observation{Kind: payment.Paid}
)

// One answer "I do not know this order" counts once, also where the provider needs no settling delay.
func TestOneUnknownCountsOnce(t *testing.T) {
	at := unknown
	at.Settling = 0
	p := decideAll(t, payment.New(deposit()), intend, at)
	if p.NotFound != 1 {
		t.Fatalf("one answer counted %d times", p.NotFound)
	}
	if _, _, err := payment.Decide(p, intend, begin.Add(time.Hour)); !errors.Is(err, payment.ErrForbidden) {
		t.Errorf("sent again after one answer: %v", err)
	}
	p = decideAll(t, p, at)
	if p.NotFound != 1 {
		t.Fatalf("the same instant counted again: %d", p.NotFound)
	}
	p = must(t)(payment.Decide(p, at, begin.Add(time.Hour)))
	if p = must(t)(payment.Decide(p, intend, begin.Add(2*time.Hour))); p.Status != payment.Submitting || p.Attempts != 2 || p.NotFound != 0 {
		t.Errorf("two answers: got %+v", p)
	}
}

// "I do not know this order" is not believed before the settling delay after the request, and neither
// is the second before the delay after the first.
func TestUnknownIsNotBelievedEarly(t *testing.T) {
	p := must(t)(payment.Decide(payment.New(deposit()), intend, begin))
	for _, step := range []struct {
		after    time.Duration
		notFound int
	}{{settling - 1, 0}, {settling, 1}, {2*settling - 1, 1}, {2 * settling, 2}} {
		if p, _, _ = payment.Decide(p, unknown, begin.Add(step.after)); p.NotFound != step.notFound {
			t.Errorf("after %s: %d believed, want %d", step.after, p.NotFound, step.notFound)
		}
	}
}

// Once the provider has shown that it has the order, it is never sent again and its "unknown" counts no
// more.
func TestKnownIsNeverSentAgain(t *testing.T) {
	for name, o := range map[string]payment.Observation{
		"a refused duplicate":                {Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: 1, Known: true},
		"an indeterminate webhook":           {Kind: payment.Indeterminate, Source: payment.FromWebhook},
		"not executed, but the order exists": {Kind: payment.NotExecuted, Source: payment.FromSubmit, Attempt: 1, Known: true},
		"another amount":                     {Kind: payment.Accepted, Amount: payment.KRW(1000000)},
	} {
		t.Run(name, func(t *testing.T) {
			p := decideAll(t, payment.New(deposit()), intend, o)
			revision := p.Revision
			p = decideAll(t, p, unknown, unknown, unknown, intend, payment.Observation{Kind: payment.Refuse})
			if p.Status != payment.InDoubt || !p.Known || p.NotFound != 0 || p.Revision != revision {
				t.Errorf("got %+v", p)
			}
		})
	}
}

// A repeated "accepted" is nothing new, though its times carry another zone or a monotonic clock and
// its empty map is not the nil that was read back.
func TestAcceptedAgainIsNothingNew(t *testing.T) {
	for _, expires := range []time.Time{time.Now().Add(time.Hour), begin.In(time.FixedZone("KST", 9*3600)), begin} {
		accepted := payment.Observation{Kind: payment.Accepted, Action: &payment.Action{
			Type: payment.ActionTransfer,
			Transfer: &payment.TransferInstructions{
				AccountNumber: "1", Messages: map[string]string{}, ExpiresAt: expires,
			},
		}}
		p := decideAll(t, payment.New(deposit()), intend, accepted)
		if again := decideAll(t, p, accepted); again.Revision != p.Revision {
			t.Errorf("expires at %v: the same answer made a new event", expires)
		}
		accepted.Action.Transfer.AccountNumber = "2"
		if again := decideAll(t, p, accepted); again.Revision != p.Revision+1 {
			t.Error("another account made no event")
		}
	}
}

func TestAcceptedWithoutActionKeepsIt(t *testing.T) {
	action := &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example"}}
	p := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Accepted, Action: action}, payment.Observation{Kind: payment.Accepted, Reference: "P1"})
	if p.Action == nil || p.ProviderReference != "P1" {
		t.Errorf("got %+v", p)
	}
	if p = decideAll(t, p, paid); p.Action != nil || p.Status != payment.Settled {
		t.Errorf("a settled payment asks the customer to pay: %+v", p)
	}
}

func TestSettledAmounts(t *testing.T) {
	r := func(ref string, won int64) payment.Transfer {
		return payment.Transfer{Reference: ref, Amount: payment.KRW(won)}
	}
	for name, c := range map[string]struct {
		o    payment.Observation
		want payment.Money
	}{
		"nothing said":           {payment.Observation{}, payment.KRW(10000)},
		"another amount":         {payment.Observation{SettledAmount: payment.KRW(9000)}, payment.KRW(9000)},
		"two transfers":          {payment.Observation{Transfers: []payment.Transfer{r("a", 4000), r("b", 5000)}}, payment.KRW(9000)},
		"a transfer twice":       {payment.Observation{Transfers: []payment.Transfer{r("a", 4000), r("a", 4000)}}, payment.KRW(4000)},
		"transfers and an echo":  {payment.Observation{Amount: payment.KRW(10000), Transfers: []payment.Transfer{r("a", 1)}}, payment.KRW(1)},
		"transfers and an total": {payment.Observation{SettledAmount: payment.KRW(7), Transfers: []payment.Transfer{r("a", 1)}}, payment.KRW(1)},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Kind = payment.Paid
			p := decideAll(t, payment.New(deposit()), intend, c.o)
			if expect(t, p, payment.Settled, ""); p.SettledAmount != c.want {
				t.Errorf("settled %s, want %s", p.SettledAmount, c.want)
			}
			if again := decideAll(t, p, c.o); again.Revision != p.Revision {
				t.Errorf("the same again makes %+v", again)
			}
		})
	}
}

// Money that cannot be this order's settles nothing and is written nowhere but in the reason.
func TestImpossibleMoneySettlesNothing(t *testing.T) {
	usd := payment.Money{Minor: 100, Currency: "USD"}
	for name, c := range map[string]struct {
		o    payment.Observation
		says string
	}{
		"another echo":      {payment.Observation{Amount: payment.KRW(1000000)}, "ordered 10000 KRW, the provider reports 1000000 KRW"},
		"another currency":  {payment.Observation{SettledAmount: usd}, "ordered 10000 KRW, the provider reports 100 USD"},
		"nothing":           {payment.Observation{SettledAmount: payment.KRW(0)}, "ordered 10000 KRW, the provider reports 0 KRW"},
		"less than nothing": {payment.Observation{Transfers: []payment.Transfer{{Reference: "a", Amount: payment.KRW(-1)}}}, "ordered 10000 KRW, the provider reports a transfer of -1 KRW"},
		"too much to write": {payment.Observation{SettledAmount: payment.KRW(1 << 60)}, "ordered 10000 KRW, the provider reports 1152921504606846976 KRW"},
		"too much to add": {payment.Observation{Transfers: []payment.Transfer{{Reference: "a", Amount: payment.KRW(999_999_999_999_999)}, {Reference: "b", Amount: payment.KRW(1)}}},
			"ordered 10000 KRW, the provider reports transfers that are too large to add"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Kind = payment.Paid
			p := decideAll(t, payment.New(deposit()), intend, c.o)
			expect(t, p, payment.InDoubt, payment.ReasonAmountMismatch)
			if p.Reason.Message != c.says || !p.SettledAmount.IsZero() {
				t.Errorf("got %q, settled %s", p.Reason.Message, p.SettledAmount)
			}
			settled := decideAll(t, payment.New(deposit()), intend, paid)
			after := decideAll(t, settled, c.o)
			expect(t, after, payment.Conflict, payment.ReasonAmountMismatch)
			failed := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Declined})
			expect(t, decideAll(t, failed, c.o), payment.Conflict, payment.ReasonAmountMismatch)
		})
	}
}

// Every status that needs a reason has one, though the observation brought none; what the provider
// said stays beside ours.
func TestReasons(t *testing.T) {
	declined := payment.Observation{Kind: payment.Declined, Reason: &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "426", Message: "no such account"}}
	transfer := payment.Observation{Kind: payment.Paid, Transfers: []payment.Transfer{{Reference: "r9", Amount: payment.KRW(1)}}}
	for name, c := range map[string]struct {
		way    []payment.Observation
		status payment.Status
		code   string
	}{
		"park":             {[]payment.Observation{{Kind: payment.Park}}, payment.Parked, payment.ReasonNotExecuted},
		"refuse":           {[]payment.Observation{{Kind: payment.Refuse}}, payment.Failed, payment.ReasonInvalid},
		"not executed":     {[]payment.Observation{intend, {Kind: payment.NotExecuted}}, payment.Parked, payment.ReasonNotExecuted},
		"indeterminate":    {[]payment.Observation{intend, {Kind: payment.Indeterminate}}, payment.InDoubt, payment.ReasonIndeterminate},
		"unknown":          {[]payment.Observation{intend, unknown}, payment.InDoubt, payment.ReasonNotFound},
		"first doubt":      {[]payment.Observation{intend, unknown, {Kind: payment.Indeterminate}}, payment.InDoubt, payment.ReasonNotFound},
		"refused at last":  {[]payment.Observation{intend, unknown, unknown, {Kind: payment.Refuse}}, payment.Failed, payment.ReasonNotFound},
		"declined":         {[]payment.Observation{intend, {Kind: payment.Declined}}, payment.Failed, payment.ReasonDeclined},
		"reversed":         {[]payment.Observation{intend, paid, {Kind: payment.Reversal}}, payment.Reversed, payment.ReasonReversed},
		"person settled":   {[]payment.Observation{intend, unknown, {Kind: payment.ManuallySettled}}, payment.Settled, payment.ReasonResolvedByPerson},
		"person failed":    {[]payment.Observation{intend, unknown, {Kind: payment.ManuallyFailed}}, payment.Failed, payment.ReasonResolvedByPerson},
		"contradiction":    {[]payment.Observation{intend, paid, declined}, payment.Conflict, payment.ReasonContradiction},
		"further transfer": {[]payment.Observation{intend, paid, transfer}, payment.Conflict, payment.ReasonExtraTransfer},
		"further amount":   {[]payment.Observation{intend, paid, {Kind: payment.Paid, SettledAmount: payment.KRW(1)}}, payment.Conflict, payment.ReasonAmountMismatch},
		"conflict again":   {[]payment.Observation{intend, paid, declined, transfer}, payment.Conflict, payment.ReasonContradiction},
		"reversed failed":  {[]payment.Observation{intend, declined, {Kind: payment.Reversal}}, payment.Conflict, payment.ReasonContradiction},
		"worse doubt":      {[]payment.Observation{intend, unknown, {Kind: payment.Accepted, Amount: payment.KRW(1)}}, payment.InDoubt, payment.ReasonAmountMismatch},
	} {
		t.Run(name, func(t *testing.T) { expect(t, decideAll(t, payment.New(deposit()), c.way...), c.status, c.code) })
	}
	conflict := decideAll(t, payment.New(deposit()), intend, paid, declined)
	if r := *conflict.Reason; r.ProviderCode != "426" || r.Message != "declined after settled: no such account" {
		t.Errorf("got %+v", r)
	}
}

// A reversal of a payment whose settlement was missed settles it and takes it back.
func TestReversalProvesTheSettlement(t *testing.T) {
	p, _, err := payment.Decide(must(t)(payment.Decide(payment.New(deposit()), intend, begin)), payment.Observation{Kind: payment.Reversal}, begin)
	if expect(t, p, payment.Settled, payment.ReasonReversalOfUnknown); err != nil || p.SettledAmount != payment.KRW(10000) {
		t.Errorf("got %+v, %v", p, err)
	}
	expect(t, decideAll(t, p, payment.Observation{Kind: payment.Reversal}), payment.Reversed, payment.ReasonReversed)
}

// What the provider says against a person's decision is for a person again, and no second outcome.
func TestAPersonCanBeWrong(t *testing.T) {
	indeterminate, paid := payment.Observation{Kind: payment.Indeterminate}, payment.Observation{Kind: payment.Paid}
	for name, c := range map[string]struct {
		decided payment.Observation
		truth   payment.Observation
		end     payment.Status
	}{
		"failed, and paid":      {payment.Observation{Kind: payment.ManuallyFailed}, paid, payment.Settled},
		"settled, and declined": {payment.Observation{Kind: payment.ManuallySettled}, payment.Observation{Kind: payment.Declined}, payment.Failed},
	} {
		wrong := decideAll(t, payment.New(deposit()), intend, indeterminate, c.decided)
		conflict := decideAll(t, wrong, c.truth)
		expect(t, conflict, payment.Conflict, payment.ReasonContradiction)
		right := payment.Observation{Kind: payment.ManuallyFailed}
		if c.end == payment.Settled {
			right.Kind = payment.ManuallySettled
		}
		if p := decideAll(t, conflict, right); p.Status != c.end || p.Revision != conflict.Revision+1 {
			t.Errorf("%s: %s", name, p.Status)
		}
	}
}

// What a person decided is not undone by a webhook that reports the known transfers again.
func TestPersonOutlastsRepeatedTransfers(t *testing.T) {
	extra := payment.Observation{Kind: payment.Paid, Transfers: []payment.Transfer{{Reference: "b", Amount: payment.KRW(5000)}}}
	first := payment.Observation{Kind: payment.Paid, Transfers: []payment.Transfer{{Reference: "a", Amount: payment.KRW(10000)}}}
	conflict := decideAll(t, payment.New(deposit()), intend, first, extra)
	if expect(t, conflict, payment.Conflict, payment.ReasonExtraTransfer); conflict.SettledAmount != payment.KRW(15000) {
		t.Errorf("a conflict of %s", conflict.SettledAmount)
	}
	settled := decideAll(t, conflict, payment.Observation{Kind: payment.ManuallySettled, SettledAmount: payment.KRW(10000)})
	if again := decideAll(t, settled, extra, first); again.Revision != settled.Revision || again.SettledAmount != payment.KRW(10000) {
		t.Errorf("got %+v", again)
	}
	failed := decideAll(t, conflict, payment.Observation{Kind: payment.ManuallyFailed})
	if expect(t, failed, payment.Failed, payment.ReasonResolvedByPerson); !failed.SettledAmount.IsZero() || failed.Transfers != nil {
		t.Errorf("failed and settled %s", failed.SettledAmount)
	}
}

// A command that was refused because it has no amount can still be paid at the provider.
func TestPaymentWithoutAmount(t *testing.T) {
	c := deposit()
	c.Amount = payment.Money{}
	p := decideAll(t, payment.New(c), payment.Observation{Kind: payment.Refuse}, payment.Observation{Kind: payment.Paid, SettledAmount: payment.KRW(5)})
	expect(t, p, payment.Conflict, payment.ReasonAmountMismatch)
	if _, _, err := payment.Decide(p, payment.Observation{Kind: payment.ManuallySettled}, begin); !errors.Is(err, payment.ErrForbidden) {
		t.Errorf("settled without an amount: %v", err)
	}
	p = decideAll(t, p, payment.Observation{Kind: payment.ManuallySettled, SettledAmount: payment.KRW(5)})
	if expect(t, p, payment.Settled, payment.ReasonResolvedByPerson); p.SettledAmount != payment.KRW(5) {
		t.Errorf("settled %s", p.SettledAmount)
	}
}

// A late result of an earlier attempt says nothing about the attempt under way.
func TestStaleResult(t *testing.T) {
	p := decideAll(t, payment.New(deposit()), intend, unknown, unknown, intend)
	for _, kind := range []payment.Kind{payment.NotExecuted, payment.Indeterminate, payment.Declined} {
		late := payment.Observation{Kind: kind, Source: payment.FromSubmit, Attempt: 1}
		if after := decideAll(t, p, late); after.Revision != p.Revision {
			t.Errorf("a late %s makes %+v", kind, after)
		}
		if late.Attempt = 2; decideAll(t, p, late).Revision == p.Revision {
			t.Errorf("%s of the attempt itself changes nothing", kind)
		}
	}
	expect(t, decideAll(t, p, payment.Observation{Kind: payment.Paid, Source: payment.FromSubmit, Attempt: 1}), payment.Settled, "")
}

func TestUnknownStatusAndKind(t *testing.T) {
	p := payment.New(deposit())
	if _, changed, err := payment.Decide(p, payment.Observation{Kind: "guess"}, begin); changed || !errors.Is(err, payment.ErrForbidden) {
		t.Errorf("changed %v, %v", changed, err)
	}
	p.Status = "nearly_settled"
	if _, changed, err := payment.Decide(p, paid, begin); changed || !errors.Is(err, payment.ErrForbidden) || p.Status.Valid() {
		t.Errorf("changed %v, %v", changed, err)
	}
	for _, s := range payment.Statuses() {
		ended := s == payment.Settled || s == payment.Failed || s == payment.Conflict || s == payment.Reversed
		if !s.Valid() || s.Ended() != ended {
			t.Errorf("%s: valid %v, ended %v", s, s.Valid(), s.Ended())
		}
	}
}

// A payment that could not be written is a change, so that the caller sees the error when it writes.
func TestUnwritableIsNotTheSame(t *testing.T) {
	p := decideAll(t, payment.New(deposit()), payment.Observation{Kind: payment.Park})
	year10000 := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	next, changed, err := payment.Decide(p, payment.Observation{Kind: payment.Park, ResumeAt: year10000}, begin)
	if !changed || err != nil {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if _, changed, _ = payment.Decide(next, payment.Observation{Kind: payment.Park}, begin); !changed {
		t.Error("what cannot be written is taken for the same")
	}
}

// Twice "I do not know it" proves nothing once the provider has shown that it has the order.
func TestProofEndsWhenTheOrderIsKnown(t *testing.T) {
	p := decideAll(t, payment.New(deposit()), intend, unknown, unknown, payment.Observation{Kind: payment.Indeterminate, Known: true})
	if p.Status != payment.InDoubt || p.NotFound != 2 || !p.Known {
		t.Fatalf("got %+v", p)
	}
	for _, kind := range []payment.Kind{payment.Intend, payment.Refuse} {
		if next, changed, err := payment.Decide(p, payment.Observation{Kind: kind}, begin.Add(time.Hour)); changed || !errors.Is(err, payment.ErrForbidden) {
			t.Errorf("%s leads to %s, %v", kind, next.Status, err)
		}
	}
}

// Decide never writes into the payment that it was given.
func TestDecideLeavesTheGivenTransfers(t *testing.T) {
	one := []payment.Transfer{{Reference: "a", Amount: payment.KRW(10000)}}
	p := decideAll(t, payment.New(deposit()), intend, payment.Observation{Kind: payment.Paid, Transfers: one})
	other := []payment.Transfer{{Reference: "a", Amount: payment.KRW(1)}}
	next, _, err := payment.Decide(p, payment.Observation{Kind: payment.Paid, Transfers: other}, begin.Add(time.Hour))
	expect(t, next, payment.Conflict, payment.ReasonExtraTransfer)
	if err != nil || p.Transfers[0].Amount != payment.KRW(10000) || next.Transfers[0].Amount != payment.KRW(1) {
		t.Errorf("given %v, next %v, %v", p.Transfers, next.Transfers, err)
	}
}
