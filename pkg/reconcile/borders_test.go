package reconcile_test

import (
	"strings"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// Days that follow each other judge every payment once, however the clocks of the two sides differ within the margin
// and wherever midnight falls between them.
func TestEveryPaymentIsJudgedOnOneDay(t *testing.T) {
	tomorrow := reconcile.Interval{From: day.To, To: day.To.AddDate(0, 0, 1)}
	for _, skew := range []time.Duration{-time.Hour, -time.Second, 0, time.Nanosecond, time.Second, time.Hour} {
		for _, off := range []time.Duration{-time.Hour, -time.Second, -time.Nanosecond, 0, time.Nanosecond, time.Second, time.Hour} {
			c := comparing()
			sent := day.To.Add(off)
			c.log.payment("pair", sent, payment.Failed)
			c.log.payment("alone", sent, payment.Settled)
			made := sent.Add(skew)
			c.lines = []connectors.StatementLine{entry("pair", made, payment.Paid), entry("only", made, payment.Paid)}
			var all []string
			for _, in := range []reconcile.Interval{day, tomorrow} {
				c.rules.Interval, c.covered = in, in.Widened(time.Hour)
				found, _ := c.run(t)
				all = append(all, found...)
			}
			text := strings.Join(all, ", ")
			if len(all) != 3 || strings.Count(text, "paid_there pair") != 1 || strings.Count(text, "missing_there alone") != 1 || strings.Count(text, "missing_here only") != 1 {
				t.Errorf("sent %s from midnight, made %s later: %q", off, skew, all)
			}
		}
	}
}

// A pair that agrees is never a finding, whichever side of a border its halves are.
func TestNoFindingComesFromTheBorder(t *testing.T) {
	for _, border := range []time.Time{day.From, day.To} {
		for _, skew := range []time.Duration{-time.Hour, -time.Second, 0, time.Second, time.Hour} {
			for _, off := range []time.Duration{-time.Hour, -time.Second, -time.Nanosecond, 0, time.Second, time.Hour} {
				c := comparing()
				c.log.payment("o", border.Add(off), payment.Settled)
				c.lines = []connectors.StatementLine{entry("o", border.Add(off).Add(skew), payment.Paid)}
				if found, _ := c.run(t); len(found) > 0 {
					t.Errorf("sent %s from the border, made %s later: %q", off, skew, found)
				}
			}
		}
	}
}

// A list that holds exactly a day proves nothing of payments at its ends; one with more around it does.
func TestAListWithoutAMargin(t *testing.T) {
	for _, test := range []struct {
		at   time.Time
		want string
	}{
		{day.From, "not_covered o"}, {day.From.Add(time.Hour - 1), "not_covered o"}, {day.From.Add(time.Hour), "missing_there o"},
		{day.To.Add(-time.Hour), "missing_there o"}, {day.To.Add(-time.Hour + 1), "not_covered o"}, {day.To.Add(-1), "not_covered o"},
		{day.To, ""}, {day.From.Add(-1), ""},
	} {
		c := comparing()
		c.covered = day
		c.log.payment("o", test.at, payment.Settled)
		if got, _ := c.run(t); strings.Join(got, ", ") != test.want {
			t.Errorf("sent at %s: %q, want %q", test.at, got, test.want)
		}
	}
	var log written
	log.payment("o", day.From, payment.Settled)
	statement := reconcile.NewStatement(readAt, day)
	for _, at := range []time.Time{day.From.Add(-2 * time.Hour), noon, day.To.Add(2 * time.Hour)} {
		if err := statement.Add(entry("l"+at.Format("15"), at, payment.Declined)); err != nil {
			t.Fatal(err)
		}
	}
	statement.CoverLines()
	if want := (reconcile.Interval{From: day.From.Add(-2 * time.Hour), To: day.To.Add(2 * time.Hour)}); statement.Covered != want {
		t.Errorf("covered %v, want %v", statement.Covered, want)
	}
}

// The log's clock is not the workers': an event can be stored just before the interval in which it says that it sent.
func TestClocksDiffer(t *testing.T) {
	for _, skew := range []time.Duration{-30 * time.Minute, 30 * time.Minute} {
		c := comparing()
		at := day.From
		if skew > 0 {
			at = day.To.Add(-1)
		}
		p := ordered("o", at)
		p.Status, p.SubmittedAt, p.Attempts = payment.Submitting, at.UTC(), 1
		p = c.log.write(p, at.Add(skew))
		p.Status, p.SettledAmount = payment.Settled, p.Amount
		c.log.write(p, at.Add(skew))
		if got, s := c.run(t); s.Compared != 1 || len(got) != 1 {
			t.Errorf("stored %s after it was sent: %q, %+v", skew, got, s)
		}
	}
}

// Lines without a time are judged; those beside the interval are not.
func TestLinesBesideTheInterval(t *testing.T) {
	c := comparing()
	c.lines = []connectors.StatementLine{
		entry("before", day.From.Add(-1), payment.Paid), entry("first", day.From, payment.Paid), entry("last", day.To.Add(-1), payment.Paid),
		entry("after", day.To, payment.Paid), entry("timeless", time.Time{}, payment.Paid),
	}
	got, s := c.run(t)
	if strings.Join(got, ", ") != "missing_here first, missing_here last, missing_here timeless" || s.Lines != 5 || s.Compared != 3 {
		t.Errorf("%q, %+v", got, s)
	}
}

// What changed too late before the statement was read is noted; what a person must know is not put off by that.
func TestWhatChangesWhileStatementAreRead(t *testing.T) {
	paid := entry("o", noon, payment.Paid)
	completed := func(after time.Duration) connectors.StatementLine {
		return with(paid, func(l *connectors.StatementLine) { l.CompletedAt = readAt.Add(after) })
	}
	for name, test := range map[string]struct {
		status  payment.Status
		updated time.Duration // before the statement was read
		lines   []connectors.StatementLine
		want    string
	}{
		"ours long ago":                   {payment.Pending, 15 * time.Minute, []connectors.StatementLine{paid}, "final_there o"},
		"ours just now":                   {payment.Pending, 15*time.Minute - 1, []connectors.StatementLine{paid}, "moving o"},
		"ours after the reading":          {payment.Pending, -time.Hour, []connectors.StatementLine{paid}, "moving o"},
		"theirs long ago":                 {payment.Pending, time.Hour, []connectors.StatementLine{completed(-15 * time.Minute)}, "final_there o"},
		"theirs just now":                 {payment.Pending, time.Hour, []connectors.StatementLine{completed(-15*time.Minute + 1)}, "moving o"},
		"theirs in the future":            {payment.Pending, time.Hour, []connectors.StatementLine{completed(16 * time.Minute)}, "final_there o"},
		"the amount, just now":            {payment.Settled, 0, []connectors.StatementLine{with(paid, func(l *connectors.StatementLine) { l.Observation.SettledAmount = payment.KRW(1) })}, "moving o"},
		"they agree, just now":            {payment.Settled, 0, []connectors.StatementLine{paid}, ""},
		"missing there, just now":         {payment.Settled, 15*time.Minute - 1, nil, "moving o"},
		"missing there, long ago":         {payment.Settled, 15 * time.Minute, nil, "missing_there o"},
		"charged twice, just now":         {payment.Settled, 0, []connectors.StatementLine{paid, with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" })}, "charged_twice o"},
		"another number, just now":        {payment.Settled, 0, []connectors.StatementLine{with(paid, func(l *connectors.StatementLine) { l.Observation.Reference = "T-2" })}, "reference_differs o"},
		"a status nobody knows, just now": {payment.Settled, 0, []connectors.StatementLine{with(paid, func(l *connectors.StatementLine) { l.Observation.Kind = payment.Indeterminate })}, "indeterminate o"},
	} {
		c := comparing()
		p := c.log.sent(ordered("o", noon), noon)
		p.ProviderReference, p.Status, p.SettledAmount = "T-o", test.status, payment.KRW(10000)
		c.log.write(p, readAt.Add(-test.updated))
		c.lines = test.lines
		got, s := c.run(t)
		if strings.Join(got, ", ") != test.want || s.Noted+s.Findings != len(got) || (s.Noted == 1) != (test.want == "moving o") {
			t.Errorf("%s: %q, want %q (%+v)", name, got, test.want, s)
		}
	}
}

// A payment that was sent more than once belongs to the day of the last time. That they have none is proven only
// where the statement covers all times.
func TestAPaymentThatWasSentTwice(t *testing.T) {
	for _, test := range []struct {
		first time.Time
		want  string
	}{{noon.Add(-time.Hour), "missing_there o"}, {day.From, "missing_there o"}, {day.From.Add(-1), "indeterminate o"}, {day.From.Add(-30 * 24 * time.Hour), "indeterminate o"}} {
		c := comparing()
		p := c.log.sent(ordered("o", test.first), test.first)
		c.log.became(c.log.sent(p, noon), payment.Settled)
		if got, s := c.run(t); strings.Join(got, ", ") != test.want || s.Compared != 1 {
			t.Errorf("sent first at %s: %q, want %q", test.first, got, test.want)
		}
	}
	c := comparing()
	p := c.log.sent(ordered("o", noon), noon)
	c.log.became(c.log.sent(p, day.To.Add(time.Minute)), payment.Settled)
	if got, s := c.run(t); len(got) > 0 || s.Compared != 0 {
		t.Errorf("the last time was tomorrow: %q, %+v", got, s)
	}
	for name, again := range map[string]func(p payment.Payment) (payment.Payment, time.Time){
		"reversed before it was sent, so that its attempt does not count": func(p payment.Payment) (payment.Payment, time.Time) {
			p.Status = payment.Parked
			p.Attempts--
			return c.log.write(p, noon), noon.Add(time.Minute)
		},
		"settled by what was sent first, after the second attempt was reversed": func(p payment.Payment) (payment.Payment, time.Time) {
			p = c.log.sent(p, noon.Add(time.Minute))
			p.Status = payment.Parked
			p.Attempts--
			p = c.log.write(p, noon.Add(time.Minute))
			return p, time.Time{}
		},
		"in the same moment": func(p payment.Payment) (payment.Payment, time.Time) { return p, noon },
	} {
		c = comparing()
		p, at := again(c.log.sent(ordered("o", noon), noon))
		if !at.IsZero() {
			p = c.log.sent(p, at)
		}
		c.log.became(p, payment.Settled)
		if got, s := c.run(t); strings.Join(got, ", ") != "missing_there o" || s.Compared != 1 {
			t.Errorf("%s: %q, %+v", name, got, s)
		}
	}
	c = comparing() // never sent, and known to us for longer than the statement covers
	q := ordered("o", noon)
	q.RequestedAt, q.Status, q.SettledAmount = noon.Add(-48*time.Hour), payment.Settled, q.Amount
	c.log.write(q, noon)
	if got, _ := c.run(t); strings.Join(got, ", ") != "indeterminate o" {
		t.Errorf("never sent: %q", got)
	}
}
