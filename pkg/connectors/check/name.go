package check

import (
	"strings"
	"unicode"

	"payonce/pkg/payment"
)

// Name is the rule for the name of a person or a company: not what a spreadsheet or a program wrote in its
// place, and at least one letter. Any character that is seen may occur in it, also at its beginning: "-", "+"
// and "@" mean nothing here. It holds for an empty text; whether one is required is another rule.
func Name(field, text string) Rule {
	problem := Damage(text)
	if problem == "" && strings.TrimSpace(text) != "" && !strings.ContainsFunc(text, unicode.IsLetter) {
		problem = "must have a letter"
	}
	return That(problem == "", field, problem)
}

// PlainName is the rule for providers that take no special characters in a name: letters of any script, digits
// and blanks.
func PlainName(field, text string) Rule {
	position := 0
	for _, r := range text {
		position++
		if r != ' ' && !unicode.In(r, unicode.L, unicode.M, unicode.Nd) {
			return That(false, field, payment.At(nameOf(r), position)+": this provider accepts letters, digits and spaces")
		}
	}
	return That(true, field, "")
}
