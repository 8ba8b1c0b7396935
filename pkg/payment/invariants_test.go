package payment_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"payonce/pkg/payment"
)

// drawAmount draws amounts from few, so that they meet: none, the ordered one, others, and some that
// cannot be.
func drawAmount(t *rapid.T, label string) payment.Money {
	return rapid.SampledFrom([]payment.Money{
		{}, {}, payment.KRW(10000), payment.KRW(10000), payment.KRW(9000), payment.KRW(5000), payment.KRW(0), payment.KRW(-5000),
		payment.TWD(10000), {Minor: 5, Currency: "USD"}, payment.KRW(999_999_999_999_999), {Minor: 1<<63 - 1, Currency: "KRW"},
	}).Draw(t, label)
}

// drawFee draws fees from few, and some that cannot be written.
func drawFee(t *rapid.T) payment.Fee {
	return rapid.SampledFrom([]payment.Fee{
		{}, {}, {Currency: "KRW"}, {Hundredths: 1802, Currency: "KRW"}, {Hundredths: -5, Currency: "KRW"}, {Hundredths: 1 << 50, Currency: "KRW"},
		{Hundredths: 5, Currency: "TWD"}, {Hundredths: 5, Currency: "USD"}, {Hundredths: 1<<63 - 1, Currency: "KRW"},
	}).Draw(t, "fee")
}

func drawReport(t *rapid.T) payment.Report {
	return payment.Report{
		Fee: drawFee(t), CompletedAt: rapid.SampledFrom([]time.Time{{}, begin, begin.In(time.FixedZone("KST", 9*3600)), time.Unix(1<<40, 0)}).Draw(t, "completed"),
		Unread: rapid.SampledFrom([][]payment.Reason{nil, nil, {payment.UnreadFee("fee")}}).Draw(t, "unread"),
	}
}

func drawReason(t *rapid.T) *payment.Reason {
	return rapid.SampledFrom([]*payment.Reason{nil, nil, {Code: payment.ReasonDeclined, ProviderCode: "426", Message: "no"}}).Draw(t, "reason")
}

func drawAction(t *rapid.T) *payment.Action {
	seoul := time.FixedZone("KST", 9*3600)
	return rapid.SampledFrom([]*payment.Action{
		nil,
		{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/1", Fields: map[string]string{}}},
		{Type: payment.ActionTransfer, Transfer: &payment.TransferInstructions{AccountNumber: "1", ExpiresAt: begin.In(seoul)}},
	}).Draw(t, "action")
}

var (
	kinds = []payment.Kind{
		payment.Intend, payment.Intend, payment.Park, payment.Refuse, payment.NotExecuted, payment.Indeterminate, payment.Accepted, payment.Paid, payment.Paid,
		payment.Declined, payment.Unknown, payment.Unknown, payment.Unknown, payment.Reversal, payment.PartialReversal, payment.Overdue, payment.ManuallySettled, payment.ManuallyFailed,
	}
	sources = []payment.Source{payment.FromWorker, payment.FromSubmit, payment.FromWebhook, payment.FromLookup, payment.FromStatement}
)

func drawObservation(t *rapid.T, p payment.Payment) payment.Observation {
	o := payment.Observation{
		Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Source: rapid.SampledFrom(sources).Draw(t, "source"),
		Reason: drawReason(t), Reference: rapid.SampledFrom([]string{"", "P1", "P2"}).Draw(t, "reference"),
		Attempt: p.Attempts - rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "attempts ago"),
		Known:   rapid.IntRange(0, 4).Draw(t, "known") == 0,
		// Without a settling delay the same answer must still count once.
		Settling:     rapid.SampledFrom([]time.Duration{0, settling}).Draw(t, "settling"),
		OneReference: rapid.Bool().Draw(t, "one reference"),
		PageGrace:    rapid.SampledFrom([]time.Duration{0, settling, time.Hour}).Draw(t, "grace"),
	}
	switch o.Kind {
	case payment.Accepted:
		o.Amount, o.Action = drawAmount(t, "echo"), drawAction(t)
		o.PageClosesAt = rapid.SampledFrom([]time.Time{{}, {}, begin, begin.Add(2 * time.Hour)}).Draw(t, "page closes")
		o.ActionDone = rapid.SampledFrom([]*payment.Action{nil, drawAction(t), p.Action}).Draw(t, "done")
	case payment.Declined, payment.Reversal:
		o.Amount, o.Report = drawAmount(t, "echo"), drawReport(t)
	case payment.Paid:
		o.Amount, o.SettledAmount, o.Report = drawAmount(t, "echo"), drawAmount(t, "settled"), drawReport(t)
		for range rapid.IntRange(0, 3).Draw(t, "transfers") {
			o.Transfers = append(o.Transfers, payment.Transfer{
				Reference: rapid.SampledFrom([]string{"r1", "r2", "r3"}).Draw(t, "transfer"), Amount: drawAmount(t, "transfer amount"), Fee: drawFee(t),
			})
		}
	case payment.Park, payment.NotExecuted:
		o.ResumeAt = rapid.SampledFrom([]time.Time{{}, begin, begin.Add(time.Hour)}).Draw(t, "resume")
	case payment.ManuallySettled:
		o.SettledAmount = rapid.SampledFrom([]payment.Money{{}, payment.KRW(10000), payment.KRW(1)}).Draw(t, "decided")
	}
	return o
}

// history is what a test remembers of a payment beside the payment.
type history struct {
	outcome  payment.Status // the last of settled and failed that no conflict followed
	believed int            // answers "unknown" since the last attempt, counted by the test
	lastAt   time.Time
	closesAt time.Time // of the last page that the customer was given
	heard    bool      // the provider spoke of the order
	unknown  int       // answers "unknown" since that page was over, at least a settling delay apart
	lapsedAt time.Time // when the last of them came
}

func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := deposit()
		if rapid.IntRange(0, 9).Draw(t, "without amount") == 0 {
			c.Amount = payment.Money{} // a command that is refused because of it
		}
		p, h, now := payment.New(c), history{}, begin
		if c.Amount.IsZero() {
			p, _, _ = payment.Decide(p, payment.Observation{Kind: payment.Refuse}, now)
			h.outcome = payment.Failed
		}
		for range rapid.IntRange(1, 30).Draw(t, "observations") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, settling, time.Hour}).Draw(t, "passed"))
			p = observe(t, p, drawObservation(t, p), now, &h)
		}
	})
}

// observe applies an observation to the fixpoint and checks every step.
func observe(t *rapid.T, p payment.Payment, o payment.Observation, now time.Time, h *history) payment.Payment {
	timeAloneChangesNothing(t, p, now)
	for steps := 0; ; steps++ {
		next, changed, err := payment.Decide(p, o, now)
		if err != nil && (changed || !errors.Is(err, payment.ErrForbidden)) {
			t.Fatalf("%s on %s: changed %v, %v", o.Kind, p.Status, changed, err)
		}
		if !changed {
			if !reflect.DeepEqual(next, p) {
				t.Fatalf("unchanged, and yet %+v became %+v", p, next)
			}
			break
		}
		if steps == 3 {
			t.Fatalf("%+v still changes %+v after 3 steps", o, p)
		}
		if steps > 0 && p.Status.Ended() && next.Status != p.Status && !p.ReversalPending() { // an outcome is not looked up again, and a worker may end here
			t.Fatalf("%+v makes %s of %+v in a second step, and nothing in the payment says that it will", o, next.Status, p)
		}
		checkStep(t, p, next, o, now, h)
		p = checkWritten(t, next)
	}
	repeatedLater(t, p, o, now)
	return p
}

// timeAloneChangesNothing asks with no observation at all, at any time.
func timeAloneChangesNothing(t *rapid.T, p payment.Payment, now time.Time) {
	at := now.Add(time.Duration(rapid.Int64Range(-1e18, 1e18).Draw(t, "any time")))
	next, changed, err := payment.Decide(p, payment.Observation{}, at)
	if changed || !errors.Is(err, payment.ErrForbidden) || !reflect.DeepEqual(next, p) {
		t.Fatalf("no observation at %s makes %+v of %+v, %v", at, next, p, err)
	}
}

// repeatedLater reports the same again, however much later. Only "I do not know it" is new each time.
func repeatedLater(t *rapid.T, p payment.Payment, o payment.Observation, now time.Time) {
	if o.Kind == payment.Unknown {
		return
	}
	at := now.Add(time.Duration(rapid.Int64Range(0, 1e18).Draw(t, "later")))
	if next, _, _ := payment.Decide(p, o, at); next.Status != p.Status {
		t.Fatalf("%+v told again at %s makes %s of %s", o, at, next.Status, p.Status)
	}
}

func checkStep(t *rapid.T, p, next payment.Payment, o payment.Observation, now time.Time, h *history) {
	if next.Revision != p.Revision+1 {
		t.Fatalf("revision %d follows %d", next.Revision, p.Revision)
	}
	if p.Known && !next.Known {
		t.Fatalf("%s made a known payment unknown", o.Kind)
	}
	attempts := p.Attempts
	if next.Status == payment.Submitting {
		attempts++
		checkIntent(t, p, h)
		h.believed, h.lastAt = 0, time.Time{}
	}
	if next.Attempts != attempts {
		t.Fatalf("%s → %s makes %d attempts of %d", p.Status, next.Status, next.Attempts, p.Attempts)
	}
	if o.Kind == payment.Unknown && !p.Known {
		if !h.lastAt.IsZero() && !now.After(h.lastAt) {
			t.Fatalf("one answer counted twice at %s", now)
		}
		h.believed, h.lastAt = h.believed+1, now
	}
	if o.Kind == payment.Accepted && !o.PageClosesAt.IsZero() { // what was said before is said of another page
		h.lastAt = time.Time{}
	}
	if next.Status == payment.Pending && p.Action != nil && next.Action == nil && !reflect.DeepEqual(o.ActionDone, p.Action) {
		t.Fatalf("%+v made the payment forget %+v", o, p.Action)
	}
	checkPage(t, p, next, o, now, h)
	checkOutcome(t, next, h)
	checkAmounts(t, p, next, o)
}

// checkPage keeps its own count of what is known of a page and holds the end by it against that.
func checkPage(t *rapid.T, p, next payment.Payment, o payment.Observation, now time.Time, h *history) {
	if next.Status == payment.Submitting {
		h.closesAt, h.unknown = time.Time{}, 0
	}
	link := o.Kind == payment.Accepted && !o.PageClosesAt.IsZero()
	switch o.Kind {
	case payment.Paid, payment.Declined, payment.Reversal, payment.PartialReversal:
		h.heard = true
	case payment.Accepted:
		h.heard = h.heard || !link
	case payment.Indeterminate:
		h.heard = h.heard || o.Known || o.Source == payment.FromWebhook
	case payment.NotExecuted:
		h.heard = h.heard || o.Known
	}
	if link && o.PageClosesAt.After(h.closesAt) {
		h.closesAt = o.PageClosesAt
	}
	if link {
		h.unknown = 0
	}
	if p.Status != payment.Pending || o.Kind != payment.Unknown {
		return
	}
	over := h.closesAt.Add(max(o.PageGrace, o.Settling))
	if h.heard || o.PageGrace == 0 || o.Source != payment.FromLookup || h.closesAt.IsZero() || now.Before(over) {
		t.Fatalf("%+v at %s makes %s of a page that closes %s; heard of: %v", o, now, next.Status, h.closesAt, h.heard)
	}
	if h.unknown > 0 && now.Before(h.lapsedAt.Add(o.Settling)) {
		t.Fatalf("%s after the last answer: %s", now.Sub(h.lapsedAt), next.Status)
	}
	if h.lapsedAt.Before(over) { // with another grace the one before did not count
		h.unknown = 0
	}
	h.unknown, h.lapsedAt = h.unknown+1, now
	if want := map[bool]payment.Status{false: payment.Pending, true: payment.Failed}[h.unknown > 1]; next.Status != want {
		t.Fatalf("%s after %d answers", next.Status, h.unknown)
	}
}

func checkIntent(t *rapid.T, p payment.Payment, h *history) {
	switch {
	case p.Status == payment.Requested || p.Status == payment.Parked:
	case p.Status == payment.InDoubt && h.believed >= 2 && !p.Known:
	default:
		t.Fatalf("sent again from %s, known %v, after %d answers that nobody knows it", p.Status, p.Known, h.believed)
	}
	if p.Known {
		t.Fatalf("sent again although the provider has the order: %+v", p)
	}
}

func checkOutcome(t *rapid.T, next payment.Payment, h *history) {
	switch next.Status {
	case payment.Conflict:
		h.outcome = ""
	case payment.Settled, payment.Failed:
		if h.outcome != "" {
			t.Fatalf("%s after %s without a conflict in between", next.Status, h.outcome)
		}
		h.outcome = next.Status
	case payment.Reversed:
		if h.outcome != payment.Settled {
			t.Fatalf("reversed after %q", h.outcome)
		}
	default:
		if h.outcome != "" {
			t.Fatalf("%s after %s", next.Status, h.outcome)
		}
	}
}

func checkAmounts(t *rapid.T, p, next payment.Payment, o payment.Observation) {
	if next.Amount != p.Amount {
		t.Fatalf("the ordered amount became %s", next.Amount)
	}
	seen, sum := map[string]bool{}, int64(0)
	for _, r := range next.Transfers {
		if seen[r.Reference] {
			t.Fatalf("transfer %s occurs twice", r.Reference)
		}
		seen[r.Reference] = true
		sum += r.Amount.Minor
	}
	if next.Status == payment.Settled && o.Kind == payment.Paid && len(next.Transfers) > 0 && next.SettledAmount != payment.KRW(sum) {
		t.Fatalf("settled %s with transfers of %d", next.SettledAmount, sum)
	}
	if !next.SettledAmount.IsZero() && next.SettledAmount.Currency != p.Amount.Currency && p.Amount.Currency != "" {
		t.Fatalf("%s settled for an order of %s", next.SettledAmount, p.Amount)
	}
}
