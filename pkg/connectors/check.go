package connectors

import (
	"fmt"
	"slices"

	"payonce/pkg/connectors/check"
	"payonce/pkg/payment"
)

// Describer is the capability to say what each way of paying needs. What it says is what is checked, see [CheckForm].
type Describer interface {
	// Form returns what a command of an operation, a method and a currency needs; ok is false where the provider has no such
	// way. The method is one of [Traits].Methods, and empty only for an operation without methods.
	Form(op payment.Operation, method, currency string) (form check.Form, ok bool)
}

// Way is one way of paying that a provider has.
type Way struct {
	Operation payment.Operation
	Method    string // empty for an operation without methods
	Currency  string
	// Default says that a command without a method takes this way.
	Default bool
	Form    check.Form
}

// Ways returns all ways of a provider: each operation, method and currency, in the order of its traits.
func Ways(c Connector) (all []Way) {
	t := c.Traits()
	for _, op := range t.Operations {
		all = append(all, waysOf(c, t, op)...)
	}
	return all
}

func waysOf(c Connector, t Traits, op payment.Operation) (all []Way) {
	methods := t.Methods[op]
	if len(methods) == 0 {
		methods = []string{""}
	}
	describer, describes := c.(Describer)
	hasDefault := map[string]bool{}
	for _, method := range methods {
		for _, currency := range t.Currencies {
			way := Way{Operation: op, Method: method, Currency: currency, Default: !hasDefault[currency]}
			ok := true
			if describes {
				way.Form, ok = describer.Form(op, method, currency)
			}
			if ok {
				hasDefault[currency] = true
				all = append(all, way)
			}
		}
	}
	return all
}

// Check validates a command for the connector that will execute it: the general rules, the traits, and
// the connector's own. It returns [payment.FieldErrors] with all problems.
func Check(c Connector, cmd payment.Command) error { return Problems(c, cmd, nil).Err() }

// Problems returns what Check finds, after what is known to be wrong already: of fields with a problem it says nothing more.
func Problems(c Connector, cmd payment.Command, known payment.FieldErrors) payment.FieldErrors {
	problems := slices.Clone(known)
	cmd = cmd.Normalised() // limits count characters as they are sent
	problems.Add(payment.ProblemsOf(cmd.Validate())...)
	if cmd.ReturnURL != "" {
		if problem := payment.ReturnURLProblem(cmd.ReturnURL); problem != "" {
			problems.Say("return_url", problem)
		}
	}
	t := c.Traits()
	if len(cmd.Order) > t.MaxOrderLength {
		problems.Say("order", fmt.Sprintf("this provider accepts at most %d characters", t.MaxOrderLength))
	}
	if !slices.Contains(t.Operations, cmd.Operation) {
		problems.Say("operation", "this provider does not support it")
		return problems
	}
	if !cmd.Amount.IsZero() && !slices.Contains(t.Currencies, cmd.Amount.Currency) {
		problems.Say("amount.currency", "this provider accepts "+payment.English("and", t.Currencies...))
	}
	if methods := t.Methods[cmd.Operation]; cmd.Method != "" && !slices.Contains(methods, cmd.Method) {
		problems.Say("method", accepts(methods))
	}
	checker, checks := c.(Checker)
	switch describer, describes := c.(Describer); {
	case describes:
		if form, ok := formOf(describer, t, cmd); ok {
			problems.Add(form.Check(cmd)...)
		} else {
			problems.Add(formProblems(waysOf(c, t, cmd.Operation), cmd, problems)...)
		}
	case checks && len(problems) == 0:
		problems.Add(ownProblems(checker.Check(cmd))...)
	}
	return problems
}

func accepts(methods []string) string {
	if len(methods) == 0 {
		return "this provider has none: leave it out"
	}
	return "this provider accepts " + payment.English("and", methods...)
}

// ownProblems are those of a checker. The text of an error that names no field is not known to be free of values.
func ownProblems(err error) payment.FieldErrors {
	problems := payment.ProblemsOf(err)
	if err != nil && len(problems) == 0 {
		problems.Say("", "the provider does not support this command")
	}
	return problems
}

// CheckForm is Check of a [Checker] that is a [Describer].
func CheckForm(c Connector, cmd payment.Command) error {
	return payment.FieldErrors(formProblems(waysOf(c, c.Traits(), cmd.Operation), cmd, nil)).Err()
}

// formOf returns the form of a command whose method and currency the connector has. Nearly all commands are such, and for them
// the other ways need not be listed.
func formOf(d Describer, t Traits, cmd payment.Command) (form check.Form, ok bool) {
	methods := t.Methods[cmd.Operation]
	if !slices.Contains(t.Currencies, cmd.Amount.Currency) || cmd.Method != "" && !slices.Contains(methods, cmd.Method) {
		return form, false
	}
	if cmd.Method != "" || len(methods) == 0 {
		return d.Form(cmd.Operation, cmd.Method, cmd.Amount.Currency)
	}
	for _, method := range methods { // the first is the default
		if form, ok = d.Form(cmd.Operation, method, cmd.Amount.Currency); ok {
			return form, true
		}
	}
	return form, false
}

// formProblems returns what is wrong with a command by the forms of the ways of its operation. Where the method or the currency
// is wrong, it is what all ways that may have been meant have in common.
func formProblems(ways []Way, cmd payment.Command, known payment.FieldErrors) (problems payment.FieldErrors) {
	inCurrency := func(w Way) bool { return w.Currency == cmd.Amount.Currency }
	byMethod := func(w Way) bool { return w.Method == cmd.Method || cmd.Method == "" && w.Default }
	meant := only(ways, byMethod)
	exact := only(meant, inCurrency)
	wrongCurrency := known.About("amount.currency") || cmd.Amount.IsZero()
	switch {
	case len(exact) > 0:
		return exact[0].Form.Check(cmd)
	case known.About("method") && !wrongCurrency:
		meant = only(ways, inCurrency)
	case known.About("method"):
		meant = ways
	case wrongCurrency:
	case len(only(ways, inCurrency)) == 0:
		problems.Say("amount.currency", fmt.Sprintf("a %s is in %s only", cmd.Operation, payment.English("or", currencies(ways)...)))
	default:
		problems.Say("method", fmt.Sprintf("takes %s, not %s", payment.English("or", currencies(meant)...), cmd.Amount.Currency))
	}
	cmd.Amount = payment.Money{} // its limits are those of a currency
	for i, way := range meant {
		found := way.Form.Check(cmd)
		if i == 0 {
			problems.Add(found...)
			continue
		}
		problems = slices.DeleteFunc(problems, func(one *payment.FieldError) bool {
			return !slices.ContainsFunc(found, func(other *payment.FieldError) bool { return *one == *other })
		})
	}
	return problems
}

func only(ways []Way, keep func(Way) bool) (kept []Way) {
	for _, way := range ways {
		if keep(way) {
			kept = append(kept, way)
		}
	}
	return kept
}

func currencies(ways []Way) (all []string) {
	for _, way := range ways {
		if !slices.Contains(all, way.Currency) {
			all = append(all, way.Currency)
		}
	}
	return all
}
