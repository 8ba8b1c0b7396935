package check

import "payonce/pkg/payment"

// Rule is one thing that must hold about a field of a command, made by [That].
type Rule struct {
	holds          bool
	field, problem string
}

// That returns a rule. field is the path in the JSON document, e.g. "account.bank_code"; problem is for
// people and never holds the value, e.g. "is required".
func That(holds bool, field, problem string) Rule { return Rule{holds, field, problem} }

// When returns a rule that must hold only if it applies, e.g. for a field that one method sends.
func When(applies bool, r Rule) Rule {
	r.holds = r.holds || !applies
	return r
}

// First returns a [*payment.FieldError] for the first rule that does not hold, and nil when all hold.
func First(rules ...Rule) error {
	for _, r := range rules {
		if !r.holds {
			return &payment.FieldError{Field: r.field, Problem: r.problem}
		}
	}
	return nil
}
