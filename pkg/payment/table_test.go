package payment_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/payment"
)

// grid is the whole state machine, written down a second time by hand: which status a piece of evidence
// leads to. "." goes nowhere, "-" is forbidden. A "?" marks what cannot happen, see unreachable; the
// table has an answer even there.
const grid = `
                  requested   parked      submitting  in_doubt    pending     settled     failed      conflict    reversed
intend            submitting  submitting  -           -           -           -           -           -           -
intend_again      -?          -?          -?          submitting  -?          -?          -?          -?          -?
park              parked      parked      -           -           -           -           -           -           -
refuse            failed      failed      -           -           -           -           -           -           -
refuse_proven     -?          -?          -?          failed      -?          -?          -?          -?          -?
not_executed      -           .           parked      .           .           .           .           .           .
indeterminate           -           in_doubt    in_doubt    in_doubt    pending     .           .           conflict    .
first_heard       -?          in_doubt?   in_doubt?   in_doubt?   pending     .?          .?          conflict?   .?
accepted          -           pending     pending     pending     pending     .           .           .           .
paid              -           settled     settled     settled     settled     .?          conflict    conflict    .?
paid_again        -?          .?          .?          .?          .?          .           conflict?   .?          .
paid_differently  -?          settled?    settled?    settled?    settled?    conflict    conflict?   conflict?   conflict
mismatch          -           in_doubt    in_doubt    in_doubt    in_doubt    conflict    conflict    conflict    conflict
declined          -           failed      failed      failed      failed      conflict    .           conflict    .
unknown           -           .           in_doubt    in_doubt    .           .           .           .           .
lagging           -?          .           .           .           .           .           .           .           .
unconfirmed       -?          .?          .?          .?          pending     .?          .?          .?          .?
abandoned         -?          .?          .?          .?          failed      .?          .?          .?          .?
stale             -           .           .           .           .           .           .           .           .
reversed        -           settled     settled     settled     settled     reversed    conflict    conflict    .
partially_reversed -           in_doubt    in_doubt    in_doubt    in_doubt    conflict    conflict    conflict    .
second_reference  -?          in_doubt?   in_doubt?   in_doubt    in_doubt    conflict    conflict    conflict    conflict
overdue           -           -           -           in_doubt    pending     -           -           -           -
approve_retry     -           -           -           -           -           -           -           -           -
retry_proven      -?          -?          -?          in_doubt    -?          -?          -?          -?          -?
manually_settled    -           -           -           settled     settled     -           -           settled     -
manually_failed     -           -           -           failed      failed      -           -           failed      -
`

// unreachable says why the "?" cells of a row cannot happen.
var unreachable = map[string]string{
	"intend_again":     "only a doubt in which the provider twice did not know the order makes Intend into this",
	"retry_proven":     "only a doubt in which the provider twice did not know the order makes ApproveRetry into this",
	"refuse_proven":    "only a doubt in which the provider twice did not know the order makes Refuse into this",
	"paid":             "Paid after a settlement is always paid_again or paid_differently",
	"paid_again":       "Paid is compared with an outcome only where there is a settlement: settled and reversed",
	"paid_differently": "Paid is compared with an outcome only where there is a settlement: settled and reversed",
	"second_reference": "a provider that gave the order a number has the order: it is not sent any more",
	"first_heard":      "only a pending payment can have a page and no word of its provider",
	"unconfirmed":      "only a pending payment can have a page and no word of its provider",
	"abandoned":        "only a pending payment can have a page and no word of its provider",
	"lagging":          "a payment of which nothing was ever sent has no request to lag behind",
}

type cell struct {
	move    string // a status, "." or "-"
	reached bool
}

func readGrid(t *testing.T) (statuses, evidences []string, cells map[[2]string]cell) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(grid), "\n")
	statuses, cells = strings.Fields(lines[0]), map[[2]string]cell{}
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) != len(statuses)+1 {
			t.Fatalf("the row %q has %d cells for %d statuses", fields[0], len(fields)-1, len(statuses))
		}
		evidences = append(evidences, fields[0])
		for i, text := range fields[1:] {
			move, unreached := strings.CutSuffix(text, "?")
			cells[[2]string{statuses[i], fields[0]}] = cell{move, !unreached}
		}
	}
	return statuses, evidences, cells
}

// TestGridIsComplete fails when a status, a kind or an evidence is added and the grid does not have it.
func TestGridIsComplete(t *testing.T) {
	statuses, evidences, cells := readGrid(t)
	if declared := constants(t, "Status"); !slices.Equal(statuses, declared) || !slices.Equal(texts(payment.Statuses()), declared) {
		t.Errorf("statuses in the grid %v, in Statuses() %v, in the code %v", statuses, payment.Statuses(), declared)
	}
	declared := append(constants(t, "Kind"), constants(t, "Evidence")...)
	listed := texts(payment.Evidences())
	if !slices.Equal(evidences, listed) {
		t.Errorf("evidence in the grid %v, in Evidences() %v", evidences, listed)
	}
	slices.Sort(declared)
	slices.Sort(listed)
	if !slices.Equal(listed, declared) {
		t.Errorf("evidence in Evidences() %v, in the code %v", listed, declared)
	}
	for pair, c := range cells {
		if !c.reached && unreachable[pair[1]] == "" {
			t.Errorf("%v is said to be unreachable without a reason", pair)
		}
	}
}

func TestEveryPair(t *testing.T) {
	_, _, cells := readGrid(t)
	for _, s := range payment.Statuses() {
		for _, e := range payment.Evidences() {
			t.Run(fmt.Sprintf("%s/%s", s, e), func(t *testing.T) {
				want, listed := cells[[2]string{string(s), string(e)}]
				if !listed {
					t.Fatal("the grid does not have this pair")
				}
				if got := moveText(payment.Next(s, e)); got != want.move {
					t.Errorf("the table says %q, the grid %q", got, want.move)
				}
				reached := 0
				for _, p := range paymentsAt(t, s) {
					for _, o := range observationsFor(p, e) {
						if got := payment.Classify(p, o, later(p)); got == e {
							reached++
							checkPair(t, p, o, want.move)
						}
					}
				}
				if (reached > 0) != want.reached {
					t.Errorf("the grid says reachable = %v, %d observations led there", want.reached, reached)
				}
			})
		}
	}
}

// checkPair applies the observation until nothing changes any more.
func checkPair(t *testing.T, p payment.Payment, o payment.Observation, want string) {
	t.Helper()
	before := fmt.Sprintf("%+v", p)
	next, changed, err := payment.Decide(p, o, later(p))
	switch want {
	case "-":
		if !errors.Is(err, payment.ErrForbidden) || changed || !reflect.DeepEqual(next, p) {
			t.Errorf("%+v: got %s, changed %v, %v; want it forbidden", o, next.Status, changed, err)
		}
	case ".":
		if err != nil || changed || !reflect.DeepEqual(next, p) {
			t.Errorf("%+v: got %s, changed %v, %v; want it to go nowhere", o, next.Status, changed, err)
		}
	default:
		if err != nil || string(next.Status) != want || !changed && next.Status != p.Status {
			t.Errorf("%+v: got %s, changed %v, %v; want %s", o, next.Status, changed, err, want)
		}
	}
	steps := 0
	for at := next; changed; steps++ {
		checkWritten(t, at)
		at, changed, _ = payment.Decide(at, o, later(p))
	}
	if steps > 3 {
		t.Errorf("%+v needs %d steps", o, steps)
	}
	if after := fmt.Sprintf("%+v", p); after != before {
		t.Errorf("%+v changed the payment that was given: %s, before %s", o, after, before)
	}
}

// settling is how long "I do not know it" is not believed in these tests.
const settling = time.Minute

var begin = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)

// later is a time at which an Unknown about p is believed.
func later(p payment.Payment) time.Time { return p.UpdatedAt.Add(time.Hour) }

func deposit() payment.Command {
	return payment.Command{
		Ref: payment.Ref{Provider: "teemopay-kr", Order: "D-1"}, Operation: payment.Deposit, Amount: payment.KRW(10000),
		RequestedAt: begin,
	}
}

// paymentsAt returns payments in a status, each on the way that a real one takes.
func paymentsAt(t *testing.T, s payment.Status) []payment.Payment {
	t.Helper()
	why := &payment.Reason{Code: payment.ReasonClosed}
	intend, paid := payment.Observation{Kind: payment.Intend}, payment.Observation{Kind: payment.Paid}
	notSent := payment.Observation{Kind: payment.NotExecuted, Source: payment.FromSubmit, Attempt: 1, ResumeAt: begin, Reason: why}
	unknown := payment.Observation{Kind: payment.Unknown, Source: payment.FromLookup, Settling: settling}
	page := payment.Observation{Kind: payment.Accepted, Source: payment.FromSubmit, PageClosesAt: begin}
	lapsed := payment.Observation{Kind: payment.Unknown, Source: payment.FromLookup, Settling: settling, PageGrace: settling}
	indeterminate := payment.Observation{Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: 1}
	transfers := payment.Observation{Kind: payment.Paid, Transfers: []payment.Transfer{{Reference: "r1", Amount: payment.KRW(10000)}}}
	backs := payment.Observation{Kind: payment.Reversal}
	ways := map[payment.Status][][]payment.Observation{
		payment.Requested:  {{}},
		payment.Parked:     {{{Kind: payment.Park, ResumeAt: begin, Reason: why}}, {intend, notSent}},
		payment.Submitting: {{intend}, {intend, notSent, intend}, {intend, unknown, unknown, intend}},
		payment.InDoubt:    {{intend, indeterminate}, {intend, unknown}, {intend, unknown, unknown}, {intend, unknown, unknown, {Kind: payment.Indeterminate, Known: true}}, {intend, {Kind: payment.Indeterminate, Known: true, Reference: "P1"}}},
		payment.Pending:    {{intend, {Kind: payment.Accepted, Reference: "P1"}}, {intend, page}, {intend, page, lapsed}},
		payment.Settled:    {{intend, paid}, {intend, transfers}, {intend, {Kind: payment.Paid, Reference: "P1"}}},
		payment.Failed:     {{intend, {Kind: payment.Declined}}, {{Kind: payment.Refuse}}, {intend, {Kind: payment.Declined, Reference: "P1"}}},
		payment.Conflict:   {{intend, paid, {Kind: payment.Declined}}, {intend, paid, {Kind: payment.Declined, Reference: "P1"}}, {intend, {Kind: payment.Declined}, transfers}},
		payment.Reversed:   {{intend, transfers, backs}, {intend, paid, backs}, {intend, {Kind: payment.Paid, Reference: "P1"}, backs}},
	}
	var reached []payment.Payment
	for _, way := range ways[s] {
		p := payment.New(deposit())
		for _, o := range way {
			if o.Kind != "" {
				p = must(t)(payment.Decide(p, o, later(p)))
			}
		}
		if p.Status != s {
			t.Fatalf("%v leads to %s, not to %s", way, p.Status, s)
		}
		reached = append(reached, p)
	}
	if len(reached) == 0 {
		t.Fatalf("no way leads to %s", s)
	}
	return reached
}

// observationsFor returns observations that may be this evidence.
func observationsFor(p payment.Payment, e payment.Evidence) []payment.Observation {
	why := &payment.Reason{Code: payment.ReasonDeclined, ProviderCode: "426"}
	transfers := func(amounts ...int64) (list []payment.Transfer) {
		for i, a := range amounts {
			list = append(list, payment.Transfer{Reference: fmt.Sprintf("r%d", i+1), Amount: payment.KRW(a)})
		}
		return list
	}
	switch e {
	case "intend_again":
		return []payment.Observation{{Kind: payment.Intend}}
	case "retry_proven":
		return []payment.Observation{{Kind: payment.ApproveRetry, Reason: why}}
	case "refuse_proven":
		return []payment.Observation{{Kind: payment.Refuse}}
	case "paid", "paid_again", "paid_differently":
		return []payment.Observation{
			{Kind: payment.Paid}, {Kind: payment.Paid, Amount: p.Amount, Reason: why}, {Kind: payment.Paid, SettledAmount: payment.KRW(9000)},
			{Kind: payment.Paid, Transfers: transfers(10000)}, {Kind: payment.Paid, Transfers: transfers(10000, 5), Reason: why},
			{Kind: payment.Paid, Transfers: transfers(9000)},
		}
	case "mismatch":
		return []payment.Observation{
			{Kind: payment.Paid, Amount: payment.KRW(1000000), Reason: why}, {Kind: payment.Accepted, Amount: payment.TWD(10000)},
			{Kind: payment.Declined, Amount: payment.KRW(1)}, {Kind: payment.Reversal, Amount: payment.KRW(1)}, {Kind: payment.Paid, SettledAmount: payment.TWD(10000)},
			{Kind: payment.Paid, SettledAmount: payment.KRW(0)}, {Kind: payment.Paid, Transfers: transfers(20000, -10000)},
			{Kind: payment.Paid, Transfers: transfers(999_999_999_999_999, 1)},
			{Kind: payment.Paid, Transfers: []payment.Transfer{{Reference: "r7", Amount: payment.Money{Minor: 1, Currency: "USD"}}}},
		}
	case "second_reference":
		return []payment.Observation{
			{Kind: payment.Paid, Reference: "P2", OneReference: true}, {Kind: payment.Accepted, Reference: "P2", OneReference: true, Reason: why},
			{Kind: payment.Declined, Reference: "P2", OneReference: true}, {Kind: payment.Reversal, Reference: "P2", OneReference: true},
		}
	case "lagging":
		return []payment.Observation{{Kind: payment.Unknown, Settling: 1000 * time.Hour}}
	case "stale":
		return []payment.Observation{
			{Kind: payment.Declined, Source: payment.FromSubmit, Attempt: p.Attempts + 1},
			{Kind: payment.NotExecuted, Source: payment.FromSubmit, Attempt: p.Attempts - 1},
			{Kind: payment.Indeterminate, Source: payment.FromSubmit, Attempt: p.Attempts + 7},
		}
	case "unconfirmed", "abandoned":
		return []payment.Observation{{Kind: payment.Unknown, Source: payment.FromLookup, Settling: settling, PageGrace: settling}}
	case "indeterminate", "first_heard":
		return []payment.Observation{
			{Kind: payment.Indeterminate}, {Kind: payment.Indeterminate, Reason: why, Known: true}, {Kind: payment.Indeterminate, Source: payment.FromWebhook},
			{Kind: payment.Indeterminate, Reason: why, Known: true, Source: payment.FromLookup},
			{Kind: payment.NotExecuted, Source: payment.FromSubmit, Attempt: p.Attempts, Known: true},
		}
	}
	return []payment.Observation{
		{Kind: payment.Kind(e), Settling: settling, Attempt: p.Attempts, Source: payment.FromSubmit},
		{Kind: payment.Kind(e), Settling: settling, Reason: why, Reference: "P1", ResumeAt: begin.Add(time.Hour)},
	}
}

func must(t *testing.T) func(payment.Payment, bool, error) payment.Payment {
	t.Helper()
	return func(p payment.Payment, _ bool, err error) payment.Payment {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func moveText(m payment.Move) string {
	switch m {
	case "":
		return "-"
	case "stay":
		return "."
	}
	return string(m)
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
