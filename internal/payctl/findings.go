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
		Provider: q.provider, Operations: q.operations, From: q.rules.From, Until: q.rules.To, AsOf: statement.AsOf.In(q.form.Zone).Truncate(time.Second),
		Findings: []shownFinding{}, zone: q.form.Zone,
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
