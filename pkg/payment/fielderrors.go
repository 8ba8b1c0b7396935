package payment

import (
	"errors"
	"strings"
)

// FieldErrors are all problems of a command that were found, at most one for each field. The first is the one to show
// where there is room for one.
type FieldErrors []*FieldError

// Error returns all of them for people, e.g. "order: is required; amount.value: must not begin with 0".
func (e FieldErrors) Error() string {
	texts := make([]string, 0, len(e))
	for _, one := range e {
		texts = append(texts, one.Error())
	}
	return strings.Join(texts, "; ")
}

// Unwrap lets [errors.As] find the first [*FieldError].
func (e FieldErrors) Unwrap() []error {
	all := make([]error, 0, len(e))
	for _, one := range e {
		all = append(all, one)
	}
	return all
}

// Err returns the errors as an error: nil where there is none.
func (e FieldErrors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Add keeps the problems of other fields than those that have one already. What is said of a whole ("customer") covers its
// parts, and a problem of a part ("account.last_digits[0]") covers the whole.
func (e *FieldErrors) Add(problems ...*FieldError) {
	for _, one := range problems {
		if !e.About(one.Field) {
			*e = append(*e, one)
		}
	}
}

// Say is Add of one problem.
func (e *FieldErrors) Say(field, problem string) {
	e.Add(&FieldError{Field: field, Problem: problem})
}

// About reports whether there is a problem of a field, of a part of it or of what it is a part of.
func (e FieldErrors) About(field string) bool {
	for _, one := range e {
		if one.Field == field || within(one.Field, field) || within(field, one.Field) {
			return true
		}
	}
	return false
}

// within reports whether a field is a part of another. What has no field is about the whole command and covers nothing.
func within(part, whole string) bool {
	rest, below := strings.CutPrefix(part, whole)
	return below && whole != "" && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "["))
}

// ProblemsOf returns the problems that an error holds; none for nil and for errors that name no field.
func ProblemsOf(err error) FieldErrors {
	var all FieldErrors
	var one *FieldError
	switch {
	case errors.As(err, &all):
		return all
	case errors.As(err, &one):
		return FieldErrors{one}
	}
	return nil
}

// English lists texts for people: "a", "a or b", "a, b or c". The word stands before the last one.
func English(word string, texts ...string) string {
	switch n := len(texts); n {
	case 0:
		return ""
	case 1:
		return texts[0]
	default:
		return strings.Join(texts[:n-1], ", ") + " " + word + " " + texts[n-1]
	}
}
