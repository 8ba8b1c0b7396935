package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// compared is one comparison in a test.
type compared struct {
	log     written
	lines   []connectors.StatementLine
	rules   reconcile.Rules
	covered reconcile.Interval
	asOf    time.Time
	ops     []payment.Operation
}

func comparing() *compared {
	return &compared{rules: rules(), covered: day.Widened(time.Hour), asOf: readAt, ops: payment.Operations()}
}

// run returns "kind order" of everything that was found.
func (c *compared) run(t interface{ Fatal(...any) }) ([]string, reconcile.Summary) {
	statement := reconcile.NewStatement(c.asOf, c.covered)
	for _, l := range c.lines {
		if err := statement.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	var found []string
	s, err := reconcile.Comparison{Log: &c.log, Statement: statement, Rules: c.rules, Operations: c.ops, Found: func(f reconcile.Finding) error {
		found = append(found, string(f.Kind)+" "+f.Order)
		return nil
	}}.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return found, s
}

// Every pair of what we say and what they say.
func TestEveryPairOfStatuses(t *testing.T) {
	const same = ""
	kinds := []payment.Kind{payment.Accepted, payment.Paid, payment.Declined, payment.Reversal, payment.PartialReversal, payment.Indeterminate, "no word of ours"}
	for status, want := range map[payment.Status][]string{
		payment.Settled:    {"open_there", same, "declined_there", "reversed_there", "reversed_there", "indeterminate", "indeterminate"},
		payment.Reversed:   {"open_there", "paid_there", "declined_there", same, "paid_there", "indeterminate", "indeterminate"},
		payment.Failed:     {"open_there", "paid_there", same, "reversed_there", "paid_there", "indeterminate", "indeterminate"},
		payment.Parked:     {"open_there", "final_there", "final_there", "final_there", "final_there", "indeterminate", "indeterminate"},
		payment.Submitting: {same, "final_there", "final_there", "final_there", "final_there", "indeterminate", "indeterminate"},
		payment.InDoubt:    {same, "final_there", "final_there", "final_there", "final_there", "indeterminate", "indeterminate"},
		payment.Pending:    {same, "final_there", "final_there", "final_there", "final_there", "indeterminate", "indeterminate"},
		payment.Conflict:   {same, "final_there", "final_there", "final_there", "final_there", "indeterminate", "indeterminate"},
	} {
		for i, kind := range kinds {
			c := comparing()
			c.log.payment("o", noon, status)
			c.lines = []connectors.StatementLine{entry("o", noon, kind)}
			got, s := c.run(t)
			wanted := want[i]
			if wanted != same {
				wanted += " o"
			}
			if strings.Join(got, ", ") != wanted {
				t.Errorf("%s with us, %s there: %q, want %q", status, kind, got, want[i])
			}
			if s.Compared != 1 || s.Findings != len(got) || s.Matched != 1-len(got) || s.Noted != 0 || s.Lines != 1 {
				t.Errorf("%s with us, %s there: %+v", status, kind, s)
			}
		}
	}
}

// Every pair when they have nothing, and when we have nothing.
func TestOneSideHasNothing(t *testing.T) {
	for status, want := range map[payment.Status]string{
		payment.Settled: "missing_there o", payment.Reversed: "missing_there o", payment.Failed: "", payment.Parked: "",
		payment.Submitting: "open_here o", payment.InDoubt: "open_here o", payment.Pending: "open_here o", payment.Conflict: "open_here o",
	} {
		c := comparing()
		c.log.payment("o", noon, status)
		if got, s := c.run(t); strings.Join(got, ", ") != want || s.Compared != 1 {
			t.Errorf("%s with us, nothing there: %q, want %q (%+v)", status, got, want, s)
		}
	}
	for _, order := range []string{"o", "an order/that we cannot have", "=cmd()", "*", ">"} {
		c := comparing()
		c.log.payment("other", noon, payment.Failed)
		c.lines = []connectors.StatementLine{entry(order, noon, payment.Declined)}
		if got, _ := c.run(t); !slices.Equal(got, []string{"missing_here " + order}) {
			t.Errorf("only there: %q", got)
		}
	}
}

// What differs beside the status, and what does not.
func TestWhatDiffers(t *testing.T) {
	type lines = []connectors.StatementLine
	paid := entry("o", noon, payment.Paid)
	settled := func(c *compared) { c.log.payment("o", noon, payment.Settled) }
	for name, test := range map[string]struct {
		log   func(*compared)
		lines lines
		want  string
	}{
		"another ordered amount":         {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Amount = payment.KRW(9000) })}, "amount_differs o"},
		"another paid amount":            {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.SettledAmount = payment.KRW(9999) })}, "amount_differs o"},
		"another currency":               {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Amount = payment.TWD(10000) })}, "amount_differs o"},
		"another paid currency":          {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.SettledAmount = payment.TWD(10000) })}, "amount_differs o"},
		"only the paid amount, the same": {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Amount = payment.Money{} })}, ""},
		"only one amount, which is not what was paid": {func(c *compared) {
			p := c.log.payment("o", noon, payment.Settled)
			p.SettledAmount = payment.KRW(9000)
			c.log.write(p, p.UpdatedAt)
		}, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.SettledAmount = payment.Money{} })}, "amount_differs o"},
		"paid, without an amount": {settled, lines{with(paid, func(l *connectors.StatementLine) {
			l.Observation.Amount, l.Observation.SettledAmount = payment.Money{}, payment.Money{}
		})}, "indeterminate o"},
		"another amount of one that is open": {func(c *compared) { c.log.payment("o", noon, payment.Pending) }, lines{with(entry("o", noon, payment.Accepted), func(l *connectors.StatementLine) { l.Observation.Amount = payment.KRW(1) })}, "amount_differs o"},
		"refused because of its amount": {func(c *compared) {
			p := ordered("o", noon)
			p.Amount = payment.Money{}
			p.Status = payment.Failed
			c.log.write(p, noon)
		}, lines{entry("o", noon, payment.Declined)}, ""},
		"another number":             {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" })}, "reference_differs o"},
		"another number, any may be": {func(c *compared) { settled(c); c.rules.OneReference = false }, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" })}, ""},
		"no number":                  {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "" })}, ""},
		"another number and another amount": {settled, lines{with(paid, func(l *connectors.StatementLine) {
			l.Observation.Reference, l.Observation.Amount = "T-2", payment.KRW(1)
		})}, "reference_differs o, amount_differs o"},
		"declined and of another amount":       {settled, lines{with(entry("o", noon, payment.Declined), func(l *connectors.StatementLine) { l.Observation.Amount = payment.KRW(1) })}, "declined_there o, amount_differs o"},
		"two payments":                         {settled, lines{paid, with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" })}, "charged_twice o"},
		"two payments, ours declined late":     {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" }), with(paid, func(l *connectors.StatementLine) { l.Observation.Kind = payment.Reversal })}, "charged_twice o, reversed_there o"},
		"two payments of which none is ours":   {func(c *compared) { c.log.payment("o", noon, payment.InDoubt) }, lines{paid, with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" })}, "charged_twice o"},
		"two payments without numbers":         {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "" }), with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "" })}, "charged_twice o"},
		"three payments, only there":           {func(*compared) {}, lines{paid, with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" }), with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-3" })}, "charged_twice o, missing_here o"},
		"two payments, and no number anywhere": {func(c *compared) { c.log.payment("o", noon, payment.InDoubt) }, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "" }), with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "" })}, "charged_twice o"},
		"two payments, the first read twice":   {settled, lines{paid, with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" }), paid}, "charged_twice o"},
		"partially reversed, and how much":     {settled, lines{with(entry("o", noon, payment.PartialReversal), func(l *connectors.StatementLine) { l.Observation.SettledAmount = payment.KRW(3000) })}, "reversed_there o"},
		"read twice":                           {settled, lines{with(paid, func(l *connectors.StatementLine) { l.Observation.Kind = payment.Accepted }), paid}, ""},
		"one read twice among two": {settled, lines{with(paid, func(l *connectors.StatementLine) {
			l.Observation.Reference, l.Observation.Kind = "T-2", payment.Declined
		}), with(paid, func(l *connectors.StatementLine) { l.Observation.Kind = payment.Accepted }), paid}, ""},
		"declined once, then paid":        {settled, lines{with(entry("o", noon, payment.Declined), func(l *connectors.StatementLine) { l.Observation.Reference = "T-0" }), paid}, ""},
		"ours declined, another paid":     {func(c *compared) { c.log.payment("o", noon, payment.Failed) }, lines{entry("o", noon, payment.Declined), with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" })}, "reference_differs o, paid_there o"},
		"all declined, one of them ours":  {func(c *compared) { c.log.payment("o", noon, payment.Failed) }, lines{with(entry("o", noon, payment.Declined), func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" }), entry("o", noon, payment.Declined)}, ""},
		"all declined, none of them ours": {settled, lines{with(entry("o", noon, payment.Declined), func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" }), with(entry("o", noon, payment.Declined), func(l *connectors.StatementLine) { l.Observation.Reference = "T-3" })}, "reference_differs o, declined_there o"},
		"another operation":               {func(c *compared) { c.log.payment("o", noon, payment.Failed) }, lines{with(paid, func(l *connectors.StatementLine) { l.Operation = payment.Payout })}, "missing_here o"},
		"never sent, settled all the same": {func(c *compared) {
			p := ordered("o", noon)
			p.Status, p.SettledAmount = payment.Settled, p.Amount
			c.log.write(p, noon)
		}, nil, "missing_there o"},
		"never sent, and settled no more": {func(c *compared) {
			p := ordered("o", noon)
			p.Status, p.SettledAmount = payment.Settled, p.Amount
			p = c.log.write(p, noon)
			p.Status, p.SettledAmount = payment.Failed, payment.Money{}
			c.log.write(p, noon.Add(time.Minute))
		}, nil, ""},
		"another provider's": {func(c *compared) {
			p := ordered("o", noon)
			p.Provider = "other"
			c.log.became(c.log.sent(p, noon), payment.Settled)
		}, nil, ""},
		"of another operation than was asked for": {func(c *compared) {
			settled(c)
			c.ops = []payment.Operation{payment.Payout}
		}, nil, ""},
	} {
		c := comparing()
		test.log(c)
		c.lines = test.lines
		if got, _ := c.run(t); strings.Join(got, ", ") != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// What the sides say is handed on.
func TestAFindingHasBothSides(t *testing.T) {
	var log written
	p := log.payment("o", noon, payment.Settled)
	statement := reconcile.NewStatement(readAt, day)
	if err := statement.Add(with(entry("o", noon.Add(time.Second), payment.Paid), func(l *connectors.StatementLine) { l.Observation.SettledAmount = payment.KRW(9000) })); err != nil {
		t.Fatal(err)
	}
	var found []reconcile.Finding
	_, err := reconcile.Comparison{Log: &log, Statement: statement, Rules: rules(), Operations: payment.Operations(), Found: func(f reconcile.Finding) error {
		found = append(found, f)
		return nil
	}}.Run(t.Context())
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	f := found[0]
	ours := reconcile.Side{Status: "settled", Amount: payment.KRW(10000), SettledAmount: payment.KRW(10000), Reference: "T-o", At: p.SubmittedAt}
	theirs := reconcile.Side{Status: "paid", Amount: payment.KRW(10000), SettledAmount: payment.KRW(9000), Reference: "T-o", At: noon.Add(time.Second)}
	if f.Kind != reconcile.AmountDiffers || f.Operation != payment.Deposit || *f.Ours != ours || !slices.Equal(f.Theirs, []reconcile.Side{theirs}) || f.Detail != "paid: 10000 KRW with us, 9000 KRW there" {
		t.Errorf("%+v", f)
	}
}

// failing is a log that cannot be asked for one thing.
type failing struct {
	written
	what string
}

var errDown = errors.New("down")

func (f *failing) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	if f.what == "last" {
		return payment.Payment{}, 0, errDown
	}
	return f.written.Last(ctx, ref)
}

func (f *failing) History(ctx context.Context, ref payment.Ref) ([]events.Record, error) {
	if f.what == "history" {
		return nil, errDown
	}
	return f.written.History(ctx, ref)
}

func (f *failing) SentPayments(ctx context.Context, provider string, from, to time.Time, each func(payment.Payment) error) error {
	if f.what == "sent" {
		return errDown
	}
	return f.written.SentPayments(ctx, provider, from, to, each)
}

// A log that cannot be asked ends the comparison: it is never taken for one that has nothing.
func TestALogThatCannotBeAsked(t *testing.T) {
	for _, what := range []string{"last", "history", "sent"} {
		for _, lines := range [][]connectors.StatementLine{nil, {entry("o", noon, payment.Paid)}} {
			log := &failing{what: what}
			p := log.sent(ordered("p", noon), noon)
			log.became(log.sent(p, noon.Add(time.Minute)), payment.Settled)
			statement := reconcile.NewStatement(readAt, day)
			for _, l := range lines {
				if err := statement.Add(l); err != nil {
					t.Fatal(err)
				}
			}
			_, err := reconcile.Comparison{Log: log, Statement: statement, Rules: rules(), Operations: payment.Operations(), Found: func(f reconcile.Finding) error {
				if f.Order == "o" && what == "last" {
					t.Errorf("found %+v in a log that is down", f)
				}
				return nil
			}}.Run(t.Context())
			if !errors.Is(err, errDown) {
				t.Errorf("%s, %d lines: %v", what, len(lines), err)
			}
		}
	}
	stop := errors.New("stop")
	c := comparing()
	c.lines = []connectors.StatementLine{entry("o", noon, payment.Paid)}
	statement := reconcile.NewStatement(readAt, day)
	if err := statement.Add(c.lines[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := (reconcile.Comparison{Log: &c.log, Statement: statement, Rules: rules(), Found: func(reconcile.Finding) error { return stop }}).Run(t.Context()); !errors.Is(err, stop) {
		t.Error(err)
	}
}

// An event that cannot be read is a finding about its own payment, once, and ends no comparison. Stepped over, its payment is
// judged by the time of the event, which may have been its intent.
func TestUnreadableEventIsAFinding(t *testing.T) {
	c := comparing()
	c.log.payment("fine", noon, payment.Settled)
	c.log.unreadable("theirs", payment.Settled, noon) // in the provider's statement
	c.log.payment("sent", noon, payment.Pending)
	c.log.unreadable("sent", payment.Settled, noon.Add(time.Hour))
	c.log.unreadable("blank", payment.Submitting, noon)
	c.log.unreadable("blank", payment.Settled, noon)
	c.log.unreadable("tomorrow", payment.Submitting, midnight.AddDate(0, 0, 1))
	parked := c.log.write(func() payment.Payment { p := ordered("skipped", noon); p.Status = payment.Parked; return p }(), noon)
	c.log.unreadable("skipped", payment.Submitting, noon)
	skipped := payment.StepOver(parked, []payment.Skipped{{Status: payment.Submitting, At: noon}}, payment.Reason{By: "kim", Message: "x"}, noon.Add(time.Hour))
	c.log.write(skipped, noon.Add(time.Hour))
	c.lines = []connectors.StatementLine{entry("fine", noon, payment.Paid), entry("theirs", noon, payment.Paid)}
	found, s := c.run(t)
	if want := []string{"unreadable_here theirs", "unreadable_here sent", "unreadable_here blank", "open_here skipped"}; !slices.Equal(found, want) || s.Compared != 5 {
		t.Errorf("%q, want %q; %+v", found, want, s)
	}
}
