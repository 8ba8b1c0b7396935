package statements

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"payonce/internal/csvfile"
	"payonce/pkg/payment"
)

// values reads the values of one line of a statement and reports those that are not acceptable. Values stand in no
// problem: they can be personal data, where a column is not the one that was meant.
type values struct {
	file *file
	line int
	row  []string
}

// text returns a value; empty where there is none.
func (v values) text(column string, required bool) string {
	index, there := v.file.index[column]
	if !there {
		return ""
	}
	value := v.row[index]
	switch problem := csvfile.CheckValue(value); {
	case value == "" && !required:
	case problem != "":
		v.file.report(v.line, column, problem)
		return ""
	case len(value) > payment.MaxText:
		v.file.report(v.line, column, fmt.Sprintf("has more than %d bytes", payment.MaxText))
		return ""
	}
	return value
}

// kind reads the status. A word without a known meaning is indeterminate, which is a finding: it is never guessed.
func (v values) kind() payment.Kind {
	word := v.text(columnStatus, true)
	if ours, said := v.file.form.Statuses[word]; said {
		word = ours
	}
	if kind := payment.Kind(word); slices.Contains(Statuses, kind) {
		return kind
	}
	return payment.Indeterminate
}

func (v values) operation() payment.Operation {
	if _, there := v.file.index[columnOperation]; !there {
		return v.file.form.Operation
	}
	op := payment.Operation(strings.ToLower(v.text(columnOperation, true)))
	if op != "" && !op.Valid() {
		v.file.report(v.line, columnOperation, "must be deposit or payout")
	}
	return op
}

// amounts reads what was ordered and what moved. One of them is enough.
func (v values) amounts() (ordered, moved payment.Money) {
	currency := v.file.form.Currency
	if _, there := v.file.index[columnCurrency]; there {
		currency = v.text(columnCurrency, true)
	}
	ordered, moved = v.amount(columnAmount, currency), v.amount(columnSettled, currency)
	if v.given(columnAmount) || v.given(columnSettled) {
		return ordered, moved
	}
	v.file.report(v.line, columnAmount, "is required")
	return ordered, moved
}

// given reports whether a line has any value for a column.
func (v values) given(column string) bool {
	index, there := v.file.index[column]
	return there && v.row[index] != ""
}

// amount reads decimal digits in major units. Zeros at the end of its decimals say nothing.
func (v values) amount(column, currency string) payment.Money {
	text := v.text(column, false)
	if text == "" || currency == "" {
		return payment.Money{}
	}
	if whole, fraction, _ := strings.Cut(text, "."); fraction != "" {
		text = whole
		if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
			text += "." + fraction
		}
	}
	m, err := payment.ParseMoney(text, currency)
	var wrong *payment.FieldError
	if errors.As(err, &wrong) && wrong.Field == "currency" {
		column = columnCurrency
	}
	if err != nil {
		v.file.report(v.line, column, wrongAmount(err))
		return payment.Money{}
	}
	return m
}

func wrongAmount(err error) string {
	var wrong *payment.FieldError
	if errors.As(err, &wrong) {
		return wrong.Problem
	}
	return "cannot be read"
}

// times are the forms of a time; fractions of a second may follow. Those without a zone are in the form's zone.
var times = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", time.DateTime, "2006-01-02T15:04:05", "2006/01/02 15:04:05", "2006.01.02 15:04:05"}

func (v values) time(column string, required bool) time.Time {
	text := v.text(column, required)
	if text == "" {
		return time.Time{}
	}
	for _, form := range times {
		if t, err := time.ParseInLocation(form, text, v.file.form.Zone); err == nil {
			return t.UTC()
		}
	}
	v.file.report(v.line, column, "must be a time like 2026-11-21 14:05:00 or 2026-11-21T14:05:00+09:00")
	return time.Time{}
}
