package payctl

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
)

// The columns of a statement file.
const (
	statementOrder     = "order"
	statementOperation = "operation"
	statementAmount    = "amount"         // what was ordered
	statementSettled   = "settled_amount" // what moved
	statementCurrency  = "currency"
	statementStatus    = "status"
	statementReference = "reference"
	statementCreated   = "created_at"
	statementCompleted = "completed_at"
)

// statementColumns are all columns that a statement file can have.
var statementColumns = []string{
	statementOrder, statementOperation, statementAmount, statementSettled, statementCurrency, statementStatus, statementReference, statementCreated, statementCompleted,
}

// statementStatuses are the statuses that a statement file can have. Others are indeterminate.
var statementStatuses = []payment.Kind{payment.Accepted, payment.Paid, payment.Declined, payment.Reversal, payment.PartialReversal}

// statementForm says how a statement file is to be read.
type statementForm struct {
	columns  map[string]string // of ours → their names; where it is empty, the file has our names and no others
	statuses map[string]string // their words → ours
	// operation and currency are those of all lines where the file has no column for them.
	operation payment.Operation
	currency  string
	zone      *time.Location // of times without one
}

// validate checks what was said on the command line.
func (f statementForm) validate() error {
	for _, ours := range slices.Sorted(maps.Keys(f.columns)) {
		if !slices.Contains(statementColumns, ours) {
			return usagef("--columns: %q is not one of %s", ours, strings.Join(statementColumns, ", "))
		}
		if f.columns[ours] == "" {
			return usagef("--columns: no column given for %s", ours)
		}
	}
	for _, theirs := range slices.Sorted(maps.Keys(f.statuses)) {
		if !slices.Contains(statementStatuses, payment.Kind(f.statuses[theirs])) {
			return usagef("--statuses: %q is not one of %s", f.statuses[theirs], statementWords())
		}
	}
	if _, known := payment.Decimals(f.currency); f.currency != "" && !known {
		return usagef("--currency: %q is not supported", f.currency)
	}
	return nil
}

// statementWords lists the statuses for people.
func statementWords() string {
	var words []string
	for _, k := range statementStatuses {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

// statementFile is a statement file that is being read.
type statementFile struct {
	form     statementForm
	into     *reconcile.Statement
	index    map[string]int // column → index in a row
	problems problems
	seen     map[[3]string]int // operation, order and reference → line
}

// shortestLine is about as short as a line of a statement can be, in bytes.
const shortestLine = 16

// parseStatement reads and checks a whole text. Where problems are returned, the statement is not to be used.
func parseStatement(text []byte, form statementForm, into *reconcile.Statement) []problem {
	f := &statementFile{form: form, into: into, index: map[string]int{}, seen: map[[3]string]int{}}
	into.Grow(min(bytes.Count(text, []byte("\n")), len(text)/shortestLine))
	readRows(text, reconcile.MaxLines, &f.problems, f.header, f.row)
	if len(f.problems) == 0 {
		into.CoverLines()
	}
	return f.problems
}

func (f *statementFile) report(line int, column, text string) {
	f.problems.report(line, column, text)
}

// header finds the columns. Names that payctl does not read are an error, unless the names were given: a file of
// a provider has more than we read, and a slip in ours must not make a column vanish.
func (f *statementFile) header(line int, names []string) bool {
	theirs := map[string]string{} // their name → ours
	for _, ours := range statementColumns {
		if name := f.form.columns[ours]; name != "" {
			theirs[strings.ToLower(columnName(name))] = ours
		} else if len(f.form.columns) == 0 {
			theirs[ours] = ours
		}
	}
	for index, name := range names {
		ours, wanted := theirs[strings.ToLower(columnName(name))]
		_, twice := f.index[ours]
		switch {
		case wanted && twice:
			f.report(line, ours, "occurs twice")
		case wanted:
			f.index[ours] = index
		case len(f.form.columns) == 0: // not shown: without a header it is a person's data
			f.report(line, fmt.Sprintf("column %d", index+1), "is not a statement column; the first line must name the columns, or --columns must map them")
		}
	}
	f.missing(line)
	return len(f.problems) == 0
}

// missing reports the columns that a file cannot do without, or that were asked for.
func (f *statementFile) missing(line int) {
	has := func(column string) bool { _, found := f.index[column]; return found }
	for _, column := range statementColumns {
		_, asked := f.form.columns[column]
		needed := asked
		switch column {
		case statementOrder, statementStatus, statementCreated:
			needed = true
		case statementAmount:
			needed = needed || !has(statementSettled)
		case statementOperation:
			needed = needed || f.form.operation == ""
		case statementCurrency:
			needed = needed || f.form.currency == ""
		}
		if needed && !has(column) {
			f.report(line, column, "the column is missing")
		}
	}
}

// row reads one payment, or reports everything that is wrong with its line.
func (f *statementFile) row(line int, row []string) {
	before := len(f.problems)
	v := statementValues{file: f, line: line, row: row}
	l := connectors.StatementLine{
		Order: v.text(statementOrder, true), Operation: v.operation(), CreatedAt: v.time(statementCreated, true), CompletedAt: v.time(statementCompleted, false),
		Observation: payment.Observation{Source: payment.FromStatement, Kind: v.kind(), Reference: v.text(statementReference, false)},
	}
	l.Observation.Amount, l.Observation.SettledAmount = v.amounts()
	if len(f.problems) > before {
		return
	}
	key := [3]string{string(l.Operation), l.Order, l.Observation.Reference}
	if first, doubled := f.seen[key]; doubled && key[2] != "" {
		f.report(line, statementReference, fmt.Sprintf("line %d already has this reference and order", first))
		return
	}
	if key[2] != "" {
		f.seen[key] = line
	}
	if err := f.into.Add(l); err != nil {
		f.report(line, "", err.Error())
	}
}
