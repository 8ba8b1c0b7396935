package payctl

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// comparison is what came of a comparison.
type comparison struct {
	Provider   string              `json:"provider"`
	Operations []payment.Operation `json:"operations"`
	From       time.Time           `json:"from"`
	Until      time.Time           `json:"until"` // not compared any more
	AsOf       time.Time           `json:"as_of"` // when the statement was read or made
	Summary    reconcile.Summary   `json:"summary"`
	Findings   []shownFinding      `json:"findings"`

	zone *time.Location
}

// shownFinding is a finding with what a person can do.
type shownFinding struct {
	reconcile.Finding
	Do   string `json:"do"`
	Note bool   `json:"note,omitempty"`
}

func newComparison(q *question, statement *reconcile.Statement) *comparison {
	return &comparison{
		Provider: q.provider, Operations: q.operations, From: q.rules.From, Until: q.rules.To, AsOf: statement.AsOf.In(q.form.zone).Truncate(time.Second),
		Findings: []shownFinding{}, zone: q.form.zone,
	}
}

// write prints it. The summary goes where it does not break the format.
func (c *comparison) write(out, beside io.Writer, format string) error {
	var err error
	switch format {
	case "json":
		err = writeJSON(out, c)
	case "csv":
		err = c.writeCSV(out)
	default:
		beside, err = out, c.writeTable(out)
	}
	if err != nil {
		return err
	}
	s := c.Summary
	_, err = fmt.Fprintf(beside, "compared=%d matched=%d findings=%d noted=%d lines=%d\n", s.Compared, s.Matched, s.Findings, s.Noted, s.Lines)
	return err
}

// writeTable prints a row for each finding, and what to do below it.
func (c *comparison) writeTable(w io.Writer) error {
	if len(c.Findings) == 0 {
		return nil
	}
	var text bytes.Buffer
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "FINDING\tOPERATION\tORDER\tWITH US\tTHERE")
	for _, f := range c.Findings {
		var there []string
		for _, s := range f.Theirs {
			there = append(there, c.side(&s))
		}
		cells := []string{string(f.Kind), string(f.Operation), f.Order, c.side(f.Ours), strings.Join(there, " and ")}
		if len(there) == 0 {
			cells[4] = "nothing"
		}
		_, _ = fmt.Fprintln(table, printable(strings.Join(cells, "\x00")))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	rows := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	for i, row := range rows {
		if i > 0 {
			row += "\n    " + printable(strings.TrimPrefix(c.Findings[i-1].Detail+". ", ". ")+c.Findings[i-1].Do)
		}
		if _, err := fmt.Fprintln(w, row); err != nil {
			return err
		}
	}
	return nil
}

// side writes what one side says: status, amounts, the provider's number and the time there.
func (c *comparison) side(s *reconcile.Side) string {
	if s == nil {
		return "nothing"
	}
	words := []string{s.Status}
	if !s.Amount.IsZero() {
		words = append(words, money(s.Amount))
	}
	if !s.SettledAmount.IsZero() && s.SettledAmount != s.Amount {
		words = append(words, "moved "+money(s.SettledAmount))
	}
	if s.Reference != "" {
		words = append(words, s.Reference)
	}
	if !s.At.IsZero() {
		words = append(words, s.At.In(c.zone).Format(time.DateTime))
	}
	return strings.Join(words, ", ")
}

// findingColumns are those of CSV output.
var findingColumns = []string{
	"finding", "order", "operation",
	"our_status", "our_amount", "our_settled_amount", "our_reference", "our_time",
	"their_status", "their_amount", "their_settled_amount", "their_reference", "their_time",
	"detail", "do",
}

// writeCSV prints a line for each finding. Where they charged twice, their cells hold both, with a bar between.
func (c *comparison) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	_ = out.Write(findingColumns)
	for _, f := range c.Findings {
		row := []string{string(f.Kind), f.Order, string(f.Operation)}
		row = append(row, c.cells(f.Ours)...)
		theirs := make([][]string, 5)
		for _, s := range f.Theirs {
			for i, cell := range c.cells(&s) {
				theirs[i] = append(theirs[i], cell)
			}
		}
		for _, cells := range theirs {
			row = append(row, strings.Join(cells, " | "))
		}
		row = append(row, f.Detail, f.Do)
		for i := range row {
			row[i] = plainCell(row[i])
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

func (c *comparison) cells(s *reconcile.Side) []string {
	if s == nil {
		return make([]string, 5)
	}
	at := ""
	if !s.At.IsZero() {
		at = s.At.In(c.zone).Format(time.RFC3339)
	}
	return []string{s.Status, money(s.Amount), money(s.SettledAmount), s.Reference, at}
}

// plainCell keeps a spreadsheet from running a text of a provider as a formula: one that could be one begins with an
// apostrophe.
func plainCell(text string) string {
	text = strings.TrimLeft(printable(strings.ReplaceAll(text, "\x00", "\ufffd")), " ")
	if text != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}

// advice says what a person can do about a finding. It names commands that are there.
func advice(provider string, f reconcile.Finding) string {
	// An order that we would not take can be anything, a shell's word too.
	ref := provider + " ORDER"
	if payment.ValidOrder(f.Order) {
		ref = provider + " " + f.Order
	}
	show := "payctl payment show " + ref
	resolve := "payctl payment resolve " + ref + " --settled or --failed"
	switch f.Kind {
	case reconcile.MissingHere:
		return "Ask the provider who ordered it, and check whether its command is queued or was refused: " + show + ". If the log lost events, start no worker until this is explained."
	case reconcile.MissingThere:
		return "Ask the provider, which reported it as paid, and inform the owner of the ledger: " + show
	case reconcile.PaidThere, reconcile.DeclinedThere, reconcile.ReversalThere:
		return "Inform the owner of the ledger and ask the provider to resend its callback, which makes the payment a conflict or reversed. Decide a conflict with " + resolve
	case reconcile.FinalThere:
		return finalThere(ref, resolve, f)
	case reconcile.OpenThere:
		if f.Ours != nil && f.Ours.Status == string(payment.Parked) {
			return "The log has no request for it, but the provider has it: ask the provider before it is sent again. payctl parked cancel " + ref + " stops it from being sent."
		}
		return "It may still be paid or declined there: ask the provider, and compare again tomorrow."
	case reconcile.AmountDiffers:
		return "Compare both amounts and ask the provider what moved: " + show
	case reconcile.ChargedTwice:
		return "Ask the provider to reverse all but one of them, by their reference numbers. For ours see " + show
	case reconcile.ReferenceDiffers:
		return "These may be two payments: ask the provider about both reference numbers. For ours see " + show
	case reconcile.UnreadableHere:
		return "An event of the log cannot be read, so the payment's state is unknown until an operator skips the event: " + show + ", then payctl log skip " + ref
	case reconcile.OpenHere:
		return "No action needed: it is looked up automatically. " + show
	case reconcile.Moving:
		return "Compare again later: it changed while the statement was being made."
	case reconcile.NotCovered:
		return "Compare again with a statement that includes the day before and the day after."
	}
	return "Check it in the provider's console. Map an unknown status with --statuses; for times that are not covered use an earlier --from."
}

// finalThere says how an open payment comes to its outcome.
func finalThere(ref, resolve string, f reconcile.Finding) string {
	status := ""
	if f.Ours != nil {
		status = f.Ours.Status
	}
	switch payment.Status(status) {
	case payment.InDoubt, payment.Submitting:
		return "It is looked up automatically; payctl parked release " + ref + " looks it up now, if its command is parked. If it stays in doubt, decide it with " + resolve
	case payment.Parked:
		return "The log has no request for it, but the provider has it: ask the provider before it is sent again. payctl parked cancel " + ref + " stops it from being sent."
	case payment.Pending:
		return "It is looked up automatically until the provider's threshold. If that is too late, ask the provider, then " + resolve
	}
	return "An operator must decide: ask the provider, then " + resolve
}
