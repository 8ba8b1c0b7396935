package payctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// bookValues reads the values of one line of books and reports those that are not acceptable. Values stand in no
// problem: they can be personal data, where a column is not the one that was meant.
type bookValues struct {
	file *bookFile
	line int
	row  []string
}

// text returns a value; empty where there is none.
func (v bookValues) text(column string, required bool) string {
	place, there := v.file.place[column]
	if !there {
		return ""
	}
	value := v.row[place]
	switch problem := checkValue(value); {
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

// kind reads the status. What nobody said the meaning of is indeterminate, which is a finding: it is never guessed.
func (v bookValues) kind() payment.Kind {
	word := v.text(bookStatus, true)
	if ours, said := v.file.form.statuses[word]; said {
		word = ours
	}
	if kind := payment.Kind(word); slices.Contains(bookStatuses, kind) {
		return kind
	}
	return payment.Indeterminate
}

func (v bookValues) operation() payment.Operation {
	if _, there := v.file.place[bookOperation]; !there {
		return v.file.form.operation
	}
	op := payment.Operation(strings.ToLower(v.text(bookOperation, true)))
	if op != "" && !op.Valid() {
		v.file.report(v.line, bookOperation, "must be deposit or payout")
	}
	return op
}

// amounts reads what was ordered and what moved. One of them is enough.
func (v bookValues) amounts() (ordered, moved payment.Money) {
	currency := v.file.form.currency
	if _, there := v.file.place[bookCurrency]; there {
		currency = v.text(bookCurrency, true)
	}
	ordered, moved = v.amount(bookAmount, currency), v.amount(bookSettled, currency)
	if v.given(bookAmount) || v.given(bookSettled) {
		return ordered, moved
	}
	v.file.report(v.line, bookAmount, "is required")
	return ordered, moved
}

// given reports whether a line has any value for a column.
func (v bookValues) given(column string) bool {
	place, there := v.file.place[column]
	return there && v.row[place] != ""
}

// amount reads decimal digits in major units. Zeros at the end of its decimals say nothing.
func (v bookValues) amount(column, currency string) payment.Money {
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
		column = bookCurrency
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

// bookTimes are the forms of a time; fractions of a second may follow. Those without a zone are in the form's zone.
var bookTimes = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", time.DateTime, "2006-01-02T15:04:05", "2006/01/02 15:04:05", "2006.01.02 15:04:05"}

func (v bookValues) time(column string, required bool) time.Time {
	text := v.text(column, required)
	if text == "" {
		return time.Time{}
	}
	for _, form := range bookTimes {
		if t, err := time.ParseInLocation(form, text, v.file.form.zone); err == nil {
			return t.UTC()
		}
	}
	v.file.report(v.line, column, "must be a time like 2026-11-21 14:05:00 or 2026-11-21T14:05:00+09:00")
	return time.Time{}
}
