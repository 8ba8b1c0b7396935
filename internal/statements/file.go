// Package statements reads a provider's statement from a CSV file, and says what a person can do about what differs from our log.
package statements

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"payonce/internal/csvfile"
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// The columns of a statement file.
const (
	columnOrder     = "order"
	columnOperation = "operation"
	columnAmount    = "amount"         // what was ordered
	columnSettled   = "settled_amount" // what moved
	columnCurrency  = "currency"
	columnStatus    = "status"
	columnReference = "reference"
	columnCreated   = "created_at"
	columnCompleted = "completed_at"
)

// Columns are all columns that a statement file can have.
var Columns = []string{
	columnOrder, columnOperation, columnAmount, columnSettled, columnCurrency, columnStatus, columnReference, columnCreated, columnCompleted,
}

// Statuses are the statuses that a statement file can have. Others are indeterminate.
var Statuses = []payment.Kind{payment.Accepted, payment.Paid, payment.Declined, payment.Reversal, payment.PartialReversal}

// Form says how a statement file is to be read.
type Form struct {
	Columns  map[string]string // of ours → their names; where it is empty, the file has our names and no others
	Statuses map[string]string // their words → ours
	// operation and currency are those of all lines where the file has no column for them.
	Operation payment.Operation
	Currency  string
	Zone      *time.Location // of times without one
}

// Validate returns what is wrong with the form itself: the field, as the flag of payctl is called, and what is wrong.
func (f Form) Validate() error {
	for _, ours := range slices.Sorted(maps.Keys(f.Columns)) {
		if !slices.Contains(Columns, ours) {
			return fmt.Errorf("columns: %q is not one of %s", ours, strings.Join(Columns, ", "))
		}
		if f.Columns[ours] == "" {
			return fmt.Errorf("columns: no column given for %s", ours)
		}
	}
	for _, theirs := range slices.Sorted(maps.Keys(f.Statuses)) {
		if !slices.Contains(Statuses, payment.Kind(f.Statuses[theirs])) {
			return fmt.Errorf("statuses: %q is not one of %s", f.Statuses[theirs], words())
		}
	}
	if _, known := payment.Decimals(f.Currency); f.Currency != "" && !known {
		return fmt.Errorf("currency: %q is not supported", f.Currency)
	}
	return nil
}

// words lists the statuses for people.
func words() string {
	var words []string
	for _, k := range Statuses {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

// file is a statement file that is being read.
type file struct {
	form     Form
	into     *reconcile.Statement
	index    map[string]int // column → index in a row
	problems csvfile.Problems
	seen     map[[3]string]int // operation, order and reference → line
}

// shortestLine is about as short as a line of a statement can be, in bytes.
const shortestLine = 16

// Parse reads and checks a whole text. Where problems are returned, the statement is not to be used.
func Parse(text []byte, form Form, into *reconcile.Statement) []csvfile.Problem {
	f := &file{form: form, into: into, index: map[string]int{}, seen: map[[3]string]int{}}
	into.Grow(min(bytes.Count(text, []byte("\n")), len(text)/shortestLine))
	csvfile.ReadRows(text, reconcile.MaxLines, &f.problems, f.header, f.row)
	if len(f.problems) == 0 {
		into.CoverLines()
	}
	return f.problems
}

func (f *file) report(line int, column, text string) {
	f.problems.Report(line, column, text)
}

// header finds the columns. Names that payctl does not read are an error, unless the names were given: a file of
// a provider has more than we read, and a slip in ours must not make a column vanish.
func (f *file) header(line int, names []string) bool {
	theirs := map[string]string{} // their name → ours
	for _, ours := range Columns {
		if name := f.form.Columns[ours]; name != "" {
			theirs[strings.ToLower(csvfile.ColumnName(name))] = ours
		} else if len(f.form.Columns) == 0 {
			theirs[ours] = ours
		}
	}
	for index, name := range names {
		ours, wanted := theirs[strings.ToLower(csvfile.ColumnName(name))]
		_, twice := f.index[ours]
		switch {
		case wanted && twice:
			f.report(line, ours, "occurs twice")
		case wanted:
			f.index[ours] = index
		case len(f.form.Columns) == 0: // not shown: without a header it is a person's data
			f.report(line, fmt.Sprintf("column %d", index+1), "is not a statement column; the first line must name the columns, or --columns must map them")
		}
	}
	f.missing(line)
	return len(f.problems) == 0
}

// missing reports the columns that a file cannot do without, or that were asked for.
func (f *file) missing(line int) {
	has := func(column string) bool { _, found := f.index[column]; return found }
	for _, column := range Columns {
		_, asked := f.form.Columns[column]
		needed := asked
		switch column {
		case columnOrder, columnStatus, columnCreated:
			needed = true
		case columnAmount:
			needed = needed || !has(columnSettled)
		case columnOperation:
			needed = needed || f.form.Operation == ""
		case columnCurrency:
			needed = needed || f.form.Currency == ""
		}
		if needed && !has(column) {
			f.report(line, column, "the column is missing")
		}
	}
}

// row reads one payment, or reports everything that is wrong with its line.
func (f *file) row(line int, row []string) {
	before := len(f.problems)
	v := values{file: f, line: line, row: row}
	l := connectors.StatementLine{
		Order: v.text(columnOrder, true), Operation: v.operation(), CreatedAt: v.time(columnCreated, true), CompletedAt: v.time(columnCompleted, false),
		Observation: payment.Observation{Source: payment.FromStatement, Kind: v.kind(), Reference: v.text(columnReference, false)},
	}
	l.Observation.Amount, l.Observation.SettledAmount = v.amounts()
	if len(f.problems) > before {
		return
	}
	key := [3]string{string(l.Operation), l.Order, l.Observation.Reference}
	if first, doubled := f.seen[key]; doubled && key[2] != "" {
		f.report(line, columnReference, fmt.Sprintf("line %d already has this reference and order", first))
		return
	}
	if key[2] != "" {
		f.seen[key] = line
	}
	if err := f.into.Add(l); err != nil {
		f.report(line, "", err.Error())
	}
}
