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

// The columns of a file of books.
const (
	bookOrder     = "order"
	bookOperation = "operation"
	bookAmount    = "amount"         // what was ordered
	bookSettled   = "settled_amount" // what moved
	bookCurrency  = "currency"
	bookStatus    = "status"
	bookReference = "reference"
	bookCreated   = "created_at"
	bookCompleted = "completed_at"
)

// bookColumns are all columns that a file of books can have.
var bookColumns = []string{
	bookOrder, bookOperation, bookAmount, bookSettled, bookCurrency, bookStatus, bookReference, bookCreated, bookCompleted,
}

// bookStatuses are the statuses that a file of books can have. Others are indeterminate.
var bookStatuses = []payment.Kind{payment.Accepted, payment.Paid, payment.Declined, payment.Reversal, payment.PartialReversal}

// bookForm says how a file of books is to be read.
type bookForm struct {
	columns  map[string]string // of ours → their names; where it is empty, the file has our names and no others
	statuses map[string]string // their words → ours
	// operation and currency are those of all lines where the file has no column for them.
	operation payment.Operation
	currency  string
	zone      *time.Location // of times without one
}

// validate checks what was said on the command line.
func (f bookForm) validate() error {
	for _, ours := range slices.Sorted(maps.Keys(f.columns)) {
		if !slices.Contains(bookColumns, ours) {
			return usagef("--columns: %q is none of %s", ours, strings.Join(bookColumns, ", "))
		}
		if f.columns[ours] == "" {
			return usagef("--columns: which column is %s?", ours)
		}
	}
	for _, theirs := range slices.Sorted(maps.Keys(f.statuses)) {
		if !slices.Contains(bookStatuses, payment.Kind(f.statuses[theirs])) {
			return usagef("--statuses: %q is none of %s", f.statuses[theirs], bookWords())
		}
	}
	if _, known := payment.Decimals(f.currency); f.currency != "" && !known {
		return usagef("--currency: %q is not a currency that is known here", f.currency)
	}
	return nil
}

// bookWords lists the statuses for people.
func bookWords() string {
	var words []string
	for _, k := range bookStatuses {
		words = append(words, string(k))
	}
	return strings.Join(words, ", ")
}

// bookFile is a file of books that is being read.
type bookFile struct {
	form     bookForm
	into     *reconcile.Statement
	place    map[string]int // column → place in a row
	problems problems
	seen     map[[3]string]int // operation, order and reference → line
}

// shortestLine is about as short as a line of books can be, in bytes.
const shortestLine = 16

// parseStatement reads and checks a whole text. Where problems are returned, the books are not to be used.
func parseStatement(text []byte, form bookForm, into *reconcile.Statement) []problem {
	f := &bookFile{form: form, into: into, place: map[string]int{}, seen: map[[3]string]int{}}
	into.Grow(min(bytes.Count(text, []byte("\n")), len(text)/shortestLine))
	readRows(text, reconcile.MaxLines, &f.problems, f.header, f.row)
	if len(f.problems) == 0 {
		into.CoverLines()
	}
	return f.problems
}

func (f *bookFile) report(line int, column, text string) {
	f.problems.report(line, column, text)
}

// header finds the columns. Names that nobody asked for are an error, unless the names were given: a file of
// a provider has more than we read, and a slip in ours must not make a column vanish.
func (f *bookFile) header(line int, names []string) bool {
	theirs := map[string]string{} // their name → ours
	for _, ours := range bookColumns {
		if name := f.form.columns[ours]; name != "" {
			theirs[strings.ToLower(columnName(name))] = ours
		} else if len(f.form.columns) == 0 {
			theirs[ours] = ours
		}
	}
	for place, name := range names {
		ours, wanted := theirs[strings.ToLower(columnName(name))]
		_, twice := f.place[ours]
		switch {
		case wanted && twice:
			f.report(line, ours, "stands twice")
		case wanted:
			f.place[ours] = place
		case len(f.form.columns) == 0: // not shown: without a header it is somebody's data
			f.report(line, fmt.Sprintf("column %d", place+1), "is not a column of books; the first line must name the columns, or --columns say which is which")
		}
	}
	f.missing(line)
	return len(f.problems) == 0
}

// missing reports the columns that a file cannot do without, or that were asked for.
func (f *bookFile) missing(line int) {
	has := func(column string) bool { _, found := f.place[column]; return found }
	for _, column := range bookColumns {
		_, asked := f.form.columns[column]
		needed := asked
		switch column {
		case bookOrder, bookStatus, bookCreated:
			needed = true
		case bookAmount:
			needed = needed || !has(bookSettled)
		case bookOperation:
			needed = needed || f.form.operation == ""
		case bookCurrency:
			needed = needed || f.form.currency == ""
		}
		if needed && !has(column) {
			f.report(line, column, "the column is missing")
		}
	}
}

// row reads one payment, or reports everything that is wrong with its line.
func (f *bookFile) row(line int, row []string) {
	before := len(f.problems)
	v := bookValues{file: f, line: line, row: row}
	l := connectors.StatementLine{
		Order: v.text(bookOrder, true), Operation: v.operation(), CreatedAt: v.time(bookCreated, true), CompletedAt: v.time(bookCompleted, false),
		Observation: payment.Observation{Source: payment.FromStatement, Kind: v.kind(), Reference: v.text(bookReference, false)},
	}
	l.Observation.Amount, l.Observation.SettledAmount = v.amounts()
	if len(f.problems) > before {
		return
	}
	key := [3]string{string(l.Operation), l.Order, l.Observation.Reference}
	if first, doubled := f.seen[key]; doubled && key[2] != "" {
		f.report(line, bookReference, fmt.Sprintf("stands with this order in line %d already: a payment must have one line", first))
		return
	}
	if key[2] != "" {
		f.seen[key] = line
	}
	if err := f.into.Add(l); err != nil {
		f.report(line, "", err.Error())
	}
}
