package payctl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// statementValues reads the values of one line of a statement and reports those that are not acceptable. Values stand in no
// problem: they can be personal data, where a column is not the one that was meant.
type statementValues struct {
	file *statementFile
	line int
	row  []string
}

// text returns a value; empty where there is none.
func (v statementValues) text(column string, required bool) string {
	index, there := v.file.index[column]
	if !there {
		return ""
	}
	value := v.row[index]
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

// kind reads the status. A word without a known meaning is indeterminate, which is a finding: it is never guessed.
func (v statementValues) kind() payment.Kind {
	word := v.text(statementStatus, true)
	if ours, said := v.file.form.statuses[word]; said {
		word = ours
	}
	if kind := payment.Kind(word); slices.Contains(statementStatuses, kind) {
		return kind
	}
	return payment.Indeterminate
}

func (v statementValues) operation() payment.Operation {
	if _, there := v.file.index[statementOperation]; !there {
		return v.file.form.operation
	}
	op := payment.Operation(strings.ToLower(v.text(statementOperation, true)))
	if op != "" && !op.Valid() {
		v.file.report(v.line, statementOperation, "must be deposit or payout")
	}
	return op
}

// amounts reads what was ordered and what moved. One of them is enough.
func (v statementValues) amounts() (ordered, moved payment.Money) {
	currency := v.file.form.currency
	if _, there := v.file.index[statementCurrency]; there {
		currency = v.text(statementCurrency, true)
	}
	ordered, moved = v.amount(statementAmount, currency), v.amount(statementSettled, currency)
	if v.given(statementAmount) || v.given(statementSettled) {
		return ordered, moved
	}
	v.file.report(v.line, statementAmount, "is required")
	return ordered, moved
}

// given reports whether a line has any value for a column.
func (v statementValues) given(column string) bool {
	index, there := v.file.index[column]
	return there && v.row[index] != ""
}

// amount reads decimal digits in major units. Zeros at the end of its decimals say nothing.
func (v statementValues) amount(column, currency string) payment.Money {
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
		column = statementCurrency
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

// statementTimes are the forms of a time; fractions of a second may follow. Those without a zone are in the form's zone.
var statementTimes = []string{time.RFC3339, "2006-01-02 15:04:05Z07:00", time.DateTime, "2006-01-02T15:04:05", "2006/01/02 15:04:05", "2006.01.02 15:04:05"}

func (v statementValues) time(column string, required bool) time.Time {
	text := v.text(column, required)
	if text == "" {
		return time.Time{}
	}
	for _, form := range statementTimes {
		if t, err := time.ParseInLocation(form, text, v.file.form.zone); err == nil {
			return t.UTC()
		}
	}
	v.file.report(v.line, column, "must be a time like 2026-11-21 14:05:00 or 2026-11-21T14:05:00+09:00")
	return time.Time{}
}
