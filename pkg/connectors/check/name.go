package check

import (
	"strings"
	"unicode"

	"payonce/pkg/payment"
)

// Name is the test for the name of a person or a company: not what a spreadsheet or a program wrote in its
// place, and at least one letter. Any character that is seen may occur in it, also at its beginning: "-", "+"
// and "@" mean nothing here. It takes blanks alone; whether a name is required is another matter.
func Name() Test {
	return Test{
		problem: func(text string) string {
			if problem := Damage(text); problem != "" {
				return problem
			}
			if !blank(text) && !strings.ContainsFunc(text, unicode.IsLetter) {
				return "must have a letter"
			}
			return ""
		},
		schema: map[string]any{keyPattern: `^\s*$|\p{L}`},
		note:   undamaged,
	}
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }

// PlainName is the test for providers that take no special characters in a name: letters of any script, digits
// and blanks.
func PlainName() Test {
	return Test{
		problem: func(text string) string {
			position := 0
			for _, r := range text {
				position++
				if r != ' ' && !unicode.In(r, unicode.L, unicode.M, unicode.Nd) {
					return payment.At(nameOf(r), position) + ": this provider accepts letters, digits and spaces"
				}
			}
			return ""
		},
		schema: map[string]any{keyPattern: `^[ \p{L}\p{M}\p{Nd}]*$`},
	}
}
