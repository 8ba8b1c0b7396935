package payment

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits of the values that answer a [Clarification]. They bound what one message can cost.
const (
	MaxClarifiedGroups = 16
	MaxClarifiedFields = 64   // in one group
	MaxClarifiedName   = 64   // bytes of the name of a group or a field
	MaxClarifiedValue  = 1024 // bytes of one value
)

// ValidateClarified checks values by group and field name against the limits. It returns a
// [*FieldError] that names no value and no name, because the sender chose both.
func ValidateClarified(values map[string]map[string]string) error {
	refused := func(problem string, args ...any) error {
		return &FieldError{Field: "fields", Problem: fmt.Sprintf(problem, args...)}
	}
	if len(values) == 0 || len(values) > MaxClarifiedGroups {
		return refused("must have 1 to %d groups", MaxClarifiedGroups)
	}
	for group, fields := range values {
		if len(fields) == 0 || len(fields) > MaxClarifiedFields {
			return refused("must have 1 to %d fields in each group", MaxClarifiedFields)
		}
		for field, value := range fields {
			for _, name := range []string{group, field} {
				if name == "" || len(name) > MaxClarifiedName || characterProblem(name, UnseenCharacter) != "" {
					return refused("names must have 1 to %d bytes of UTF-8 without control characters", MaxClarifiedName)
				}
			}
			if value == "" || len(value) > MaxClarifiedValue || !utf8.ValidString(value) {
				return refused("values must have 1 to %d bytes of UTF-8", MaxClarifiedValue)
			}
			if problem := characterProblem(value, unseenInLines); problem != "" {
				return refused("a value %s", problem)
			}
		}
	}
	return nil
}

// unseenInLines takes the line breaks of an address.
func unseenInLines(r rune) string {
	if r == '\n' || r == '\r' {
		return ""
	}
	return UnseenCharacter(r)
}

// NormaliseClarified brings values into the form that [Command.Normalised] describes, in place.
func NormaliseClarified(values map[string]map[string]string) {
	for _, fields := range values {
		for field, value := range fields {
			fields[field] = norm.NFC.String(value)
		}
	}
}

// Clarification returns what the provider wants to know before it goes on; false when it does not wait
// for an answer.
func (p Payment) Clarification() (Clarification, bool) {
	if p.Status != Pending || p.Action == nil || p.Action.Type != ActionClarification {
		return Clarification{}, false
	}
	if p.Action.Clarification == nil { // it asks without saying for what
		return Clarification{}, true
	}
	return *p.Action.Clarification, true
}

// Check reports whether values answer what the provider wants to know: no more and, where it lists the
// fields, no less. A [Clarification.Schema] is not applied, the provider does that. It returns a
// [*FieldError] that names only what the provider itself named.
func (c Clarification) Check(values map[string]map[string]string) error {
	if err := ValidateClarified(values); err != nil {
		return err
	}
	if len(c.Fields) == 0 {
		return nil
	}
	for group, fields := range values {
		for field := range fields {
			if !slices.Contains(c.Fields[group], field) {
				return &FieldError{Field: "fields", Problem: "has a field that the provider did not ask for"}
			}
		}
	}
	for group, fields := range c.Fields {
		for _, field := range fields {
			if values[group][field] == "" {
				return &FieldError{Field: "fields." + group + "." + field, Problem: "is required"}
			}
		}
	}
	return nil
}
