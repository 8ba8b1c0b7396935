package search

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// Problem says what is wrong with one parameter of a search. It never holds the value.
type Problem struct {
	Name   string `json:"name"` // empty for an unknown name that isn't like that of a parameter
	Detail string `json:"detail"`
}

func (p Problem) Error() string { return p.Name + ": " + p.Detail }

// parameters read each parameter of a search into the filter. Several values are given by repeating it.
var parameters = map[string]func(f *Filter, values []string, all url.Values) string{
	"status":             func(f *Filter, v []string, _ url.Values) string { return f.statuses(v) },
	"provider":           func(f *Filter, v []string, _ url.Values) string { return f.providers(v) },
	"operation":          func(f *Filter, v []string, _ url.Values) string { return f.operations(v) },
	"order":              func(f *Filter, v []string, _ url.Values) string { return f.order(v) },
	"provider_reference": func(f *Filter, v []string, _ url.Values) string { return oneText(&f.Reference, v) },
	"code":               func(f *Filter, v []string, _ url.Values) string { f.Codes = v; return tooMany(v) },
	"amount_from":        func(f *Filter, v []string, all url.Values) string { return amount(&f.AmountFrom, v, all) },
	"amount_to":          func(f *Filter, v []string, all url.Values) string { return amount(&f.AmountTo, v, all) },
	"currency":           func(_ *Filter, v []string, all url.Values) string { return currency(v, all) },
	"from":               func(f *Filter, v []string, _ url.Values) string { return instant(&f.From, v) },
	"to":                 func(f *Filter, v []string, _ url.Values) string { return instant(&f.To, v) },
	"metadata":           func(f *Filter, v []string, _ url.Values) string { return f.metadata(v) },
	"overdue":            func(f *Filter, v []string, _ url.Values) string { return f.overdue(v) },
}

// Parameters are the names of all parameters of a search, in order.
func Parameters() []string { return slices.Sorted(maps.Keys(parameters)) }

// Parse reads a filter from the parameters of a URL, and reports everything that is wrong with them. It skips those named in own, which
// the caller reads itself.
func Parse(values url.Values, own ...string) (f Filter, problems []Problem) {
	unknown := 0
	for _, name := range slices.Sorted(maps.Keys(values)) {
		read, known := parameters[name]
		switch {
		case slices.Contains(own, name):
		case known:
			if detail := read(&f, values[name], values); detail != "" {
				problems = append(problems, Problem{name, detail})
			}
		default:
			if unknown++; unknown <= maxValues { // an answer must not be much larger than its request
				problems = append(problems, unknownParameter(name, own))
			}
		}
	}
	return f, slices.Compact(problems)
}

// nameLike is what may be shown of an unknown name: others may be a value that was pasted into the wrong place.
var nameLike = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,31}$`)

func unknownParameter(name string, own []string) Problem {
	known := "; known are " + strings.Join(slices.Sorted(slices.Values(slices.Concat(Parameters(), own))), ", ")
	if !nameLike.MatchString(name) {
		return Problem{"", "there is an unknown parameter" + known}
	}
	return Problem{name, "is not known" + known}
}

const maxValues = 20

func tooMany(values []string) string {
	if len(values) > maxValues {
		return fmt.Sprintf("must be given %d times at most", maxValues)
	}
	for _, v := range values {
		if v == "" || len(v) > payment.MaxText {
			return fmt.Sprintf("must have 1 to %d bytes", payment.MaxText)
		}
	}
	return ""
}

func oneText(into *string, values []string) string {
	if len(values) > 1 {
		return "must be given once"
	}
	*into = values[0]
	return tooMany(values)
}

func (f *Filter) statuses(values []string) string {
	for _, v := range values {
		status := payment.Status(v)
		if !status.Valid() || status == payment.Requested {
			return "must be one of " + strings.Join(statuses(), ", ")
		}
		f.Statuses = append(f.Statuses, status)
	}
	return tooMany(values)
}

func statuses() (texts []string) {
	for _, s := range payment.Statuses() {
		if s != payment.Requested { // a payment in the queue is in no log
			texts = append(texts, string(s))
		}
	}
	return texts
}

func (f *Filter) providers(values []string) string {
	for _, v := range values {
		if !payment.ValidProvider(v) {
			return `must be 1 to 32 characters of a-z, 0-9 and "-"`
		}
	}
	f.Providers = values
	return tooMany(values)
}

func (f *Filter) operations(values []string) string {
	for _, v := range values {
		if !payment.Operation(v).Valid() {
			return "must be deposit or payout"
		}
		f.Operations = append(f.Operations, payment.Operation(v))
	}
	return tooMany(values)
}

func (f *Filter) order(values []string) string {
	if detail := oneText(&f.Order, values); detail != "" {
		return detail
	}
	if !payment.ValidOrder(f.Order) {
		return `must be 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`
	}
	return ""
}

func amount(into *payment.Money, values []string, all url.Values) string {
	var text string
	if detail := oneText(&text, values); detail != "" {
		return detail
	}
	code := all.Get("currency")
	if _, known := payment.Decimals(code); !known {
		return "needs currency, which must be one that is known"
	}
	m, err := payment.ParseMoney(text, code)
	if err != nil {
		return strings.TrimPrefix(err.Error(), "value: ")
	}
	*into = m
	return ""
}

func currency(values []string, all url.Values) string {
	var text string
	if detail := oneText(&text, values); detail != "" {
		return detail
	}
	if _, known := payment.Decimals(text); !known {
		return "must be one of KRW, TWD"
	}
	if !all.Has("amount_from") && !all.Has("amount_to") {
		return "needs amount_from or amount_to"
	}
	return ""
}

func instant(into *time.Time, values []string) string {
	var text string
	if detail := oneText(&text, values); detail != "" {
		return detail
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.Year() < 2000 || at.Year() > 2200 {
		return "must be a time like 2026-11-22T09:00:00Z, in the years 2000 to 2200"
	}
	*into = at.UTC()
	return ""
}

func (f *Filter) metadata(values []string) string {
	var text string
	if len(values) > 1 {
		return "must be given once"
	}
	if text = values[0]; len(text) > payment.MaxMetadataKey+1+payment.MaxMetadataValue {
		return "is longer than metadata can be"
	}
	if f.MetadataName, f.MetadataValue, f.HasValue = strings.Cut(text, "="); f.MetadataName == "" {
		return "must be NAME or NAME=VALUE"
	}
	return ""
}

func (f *Filter) overdue(values []string) string {
	if len(values) > 1 || values[0] != "true" && values[0] != "false" {
		return "must be true or false"
	}
	f.Overdue = values[0] == "true"
	return ""
}
