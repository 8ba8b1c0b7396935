package check

import (
	"fmt"
	"strings"

	"payonce/pkg/payment"
)

// Form says what one way of paying needs of a command: it is both the check of a command and its description, so that the two
// cannot differ. It is constant once it is made, and safe for concurrent use.
type Form struct {
	// Least and Most bound the whole units of the currency that an amount has, e.g. won; 0 is no bound.
	Least, Most int64
	Fields      []Field
	// Whole is what must hold about several fields together, and WholeNote says so to people.
	Whole     func(cmd payment.Command) *payment.FieldError
	WholeNote string
}

// Field is what a provider takes in one field of a command, made by [Required], [Optional] and [List]. What is in no form is
// not sent, and has the limits that all commands have.
type Field struct {
	Name     string // path in the JSON document, e.g. "account.bank_code"
	Required bool
	Tests    []Test

	other       string            // field whose text counts where this one has none
	codes       map[string]string // what is sent in place of some texts
	least, most int               // entries of a list
	list        bool
}

// Required is a field that must have more than blanks in it.
func Required(name string, tests ...Test) Field {
	return Field{Name: name, Required: true, Tests: tests}
}

// Optional is a field that may be empty.
func Optional(name string, tests ...Test) Field { return Field{Name: name, Tests: tests} }

// List is a field with a number of entries, for each of which the tests count.
func List(name string, least, most int, tests ...Test) Field {
	return Field{Name: name, Required: least > 0, Tests: tests, least: least, most: most, list: true}
}

// Or lets the text of another field count where this one is empty: the name of a person is the holder's name.
func (f Field) Or(other string) Field {
	f.other = other
	return f
}

// Coded has texts replaced before they are tested and sent.
func (f Field) Coded(codes map[string]string) Field {
	f.codes = codes
	return f
}

// Check returns all that is wrong with a command, one problem for each field. The command has passed
// [payment.Command.Validate], or what that found is no matter of the form.
func (f Form) Check(cmd payment.Command) (problems payment.FieldErrors) {
	if problem := f.amountProblem(cmd.Amount); problem != "" {
		problems.Say("amount.value", problem)
	}
	for _, field := range f.Fields {
		if field.list {
			field.checkList(&problems, cmd.Account.LastDigits)
		} else if name, problem := field.problem(cmd); problem != "" {
			problems.Say(name, problem)
		}
	}
	if f.Whole != nil && len(problems) == 0 {
		if wrong := f.Whole(cmd); wrong != nil {
			problems.Add(wrong)
		}
	}
	return problems
}

func (f Form) amountProblem(m payment.Money) string {
	if m.IsZero() {
		return "" // it is missing, which is no matter of a provider
	}
	decimals, _ := payment.Decimals(m.Currency)
	unit := int64(1)
	for range decimals {
		unit *= 10
	}
	switch whole := m.Minor / unit; {
	case f.Least > 0 && whole < f.Least:
		return fmt.Sprintf("must be at least %d", f.Least)
	case f.Most > 0 && whole > f.Most:
		return fmt.Sprintf("must be at most %d%s", f.Most, strings.TrimSuffix("."+strings.Repeat("9", decimals), "."))
	}
	return ""
}

// problem returns what is wrong, and with which field.
func (f Field) problem(cmd payment.Command) (name, problem string) {
	name = f.Name
	text := cmd.Text(name)
	if code, known := f.codes[text]; known {
		text = code
	}
	if other := cmd.Text(f.other); text == "" && other != "" {
		name, text = f.other, other
	}
	return name, f.textProblem(text)
}

func (f Field) textProblem(text string) string {
	switch {
	case f.Required && strings.TrimSpace(text) == "":
		return "is required"
	case text == "":
		return ""
	}
	for _, test := range f.Tests {
		if problem := test.Problem(text); problem != "" {
			return problem
		}
	}
	return ""
}

func (f Field) checkList(problems *payment.FieldErrors, entries []string) {
	if len(entries) < f.least || len(entries) > f.most {
		problems.Say(f.Name, fmt.Sprintf("must have %d to %d entries", f.least, f.most))
		return
	}
	for i, entry := range entries {
		for _, test := range f.Tests {
			if problem := test.Problem(entry); problem != "" {
				problems.Say(fmt.Sprintf("%s[%d]", f.Name, i), problem)
			}
		}
	}
}

// Names are the fields of the form as people read them: those that a command must have, beside its order and amount, and those that
// it may have. "a or b" is one field, whose text may be in the other.
func (f Form) Names() (required, optional []string) {
	for _, field := range f.Fields {
		name := field.Name
		if field.other != "" {
			name += " or " + field.other
		}
		if field.Required {
			required = append(required, name)
		} else {
			optional = append(optional, name)
		}
	}
	return required, optional
}

// AmountNote says which amounts of a currency the form takes, for people.
func (f Form) AmountNote(currency string) string {
	decimals, _ := payment.Decimals(currency)
	return f.amountNote(decimals)
}
