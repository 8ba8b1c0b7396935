package archive

import (
	"slices"
	"strings"

	"payonce/pkg/search"
)

// condition is a part of a filter as SQL has it. Where is about the table payments p.
type condition struct {
	where string
	args  []any
	// ordered says that an index gives what it chooses in the order of a search.
	ordered bool
}

// conditions returns the parts of a filter but for the metadata, each of which must hold.
func conditions(f search.Filter) []condition {
	var all []condition
	is := func(column string, values ...string) {
		values = slices.Clone(values)
		if len(values) == 0 {
			return
		}
		args := make([]any, len(values))
		for i, v := range values {
			args[i] = text(v)
		}
		operator := " IN " + list(len(values))
		if len(values) == 1 {
			operator = " = ?" // for which an index gives the order, too
		}
		all = append(all, condition{"p." + column + operator, args, len(values) == 1})
	}
	is("status", asTexts(f.Statuses)...)
	is("provider", f.Providers...)
	is("operation", asTexts(f.Operations)...)
	if f.Order != "" {
		is("order_number", f.Order)
	}
	if f.Reference != "" {
		is("provider_reference", f.Reference)
	}
	is("reason_code", f.Codes...)
	if !f.AmountFrom.IsZero() || !f.AmountTo.IsZero() {
		all = append(all, amounts(f))
	}
	if f.Overdue {
		all = append(all, condition{where: "p.overdue_at <> 0", ordered: true})
	}
	if f.VisibleTo != "" {
		is("upstream", "", f.VisibleTo)
	}
	return all
}

func amounts(f search.Filter) condition {
	c := condition{where: "p.currency = ?", args: []any{f.AmountFrom.Currency}}
	if f.AmountFrom.IsZero() {
		c.args[0] = f.AmountTo.Currency
	} else {
		c.where, c.args = c.where+" AND p.amount_minor >= ?", append(c.args, f.AmountFrom.Minor)
	}
	if !f.AmountTo.IsZero() {
		c.where, c.args = c.where+" AND p.amount_minor <= ? AND p.currency = ?", append(c.args, f.AmountTo.Minor, f.AmountTo.Currency)
	}
	return c
}

// times are not among the conditions: every search goes by the time.
func times(f search.Filter) condition {
	var parts []string
	var args []any
	if !f.From.IsZero() {
		parts, args = append(parts, "opened_at >= ?"), append(args, nanoseconds(f.From))
	}
	if !f.To.IsZero() {
		parts, args = append(parts, "opened_at < ?"), append(args, nanoseconds(f.To))
	}
	return condition{where: strings.Join(parts, " AND "), args: args}
}

func asTexts[T ~string](values []T) []string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return texts
}
