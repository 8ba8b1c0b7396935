package check

import (
	"fmt"
	"strings"
	"unicode"

	"payonce/pkg/payment"
)

// LeastDigits and MostDigits bound the digits of an account number where a provider's documents do not. They
// are an assumption: Korean banks have 10 to 16 digits, and none is known outside of these bounds.
const (
	LeastDigits = 6
	MostDigits  = 20
)

// AccountNumber is the test for the number of a bank account: [LeastDigits] to most digits of ASCII, and single
// hyphens between them, as banks print them. Nothing is taken out or replaced: a character that was damaged once
// may stand for another one than it seems to, and a payout to a wrong account does not come back.
func AccountNumber(most int) Test {
	return Test{
		problem: func(text string) string { return accountProblem(text, most) },
		schema:  map[string]any{keyPattern: fmt.Sprintf(`^[0-9](?:-?[0-9]){%d,%d}$`, LeastDigits-1, most-1)},
		note:    "no date that a spreadsheet made of it, and not zeros alone",
	}
}

func accountProblem(text string, most int) string {
	if text == "" {
		return ""
	}
	if problem := digitsProblem(text, "-"); problem != "" {
		return problem
	}
	digits := len(text) - strings.Count(text, "-")
	switch {
	case digits < LeastDigits || digits > most:
		return fmt.Sprintf("must have %d to %d digits", LeastDigits, most)
	case strings.HasPrefix(text, "-") || strings.HasSuffix(text, "-") || strings.Contains(text, "--"):
		return "may have single hyphens between digits only"
	case strings.Trim(text, "0-") == "":
		return "has no digit but zero"
	}
	return ""
}

// LastDigits is the test for the last digits of an account number, exactly so many.
func LastDigits(count int) Test {
	return Test{
		problem: func(text string) string {
			problem := digitsProblem(text, "")
			if problem == "" && len(text) != count {
				problem = fmt.Sprintf("must be the last %d digits of an account", count)
			}
			return problem
		},
		schema: map[string]any{keyPattern: fmt.Sprintf(`^[0-9]{%d}$`, count)},
	}
}

const undamaged = "nothing that a spreadsheet or a program writes in place of a value"

// Number is the test for a code that may be of digits, like that of a bank: nothing that a spreadsheet or a
// program made of one.
func Number() Test { return Test{problem: NumberDamage, note: undamaged} }

// Code is the test for a code or a name that a provider gave, like that of a bank, where its list is not known: what
// [Number] takes, of letters and ASCII digits, with "_", "-", "." and blanks between them.
func Code() Test {
	return Test{
		problem: func(text string) string {
			if problem := NumberDamage(text); problem != "" {
				return problem
			}
			return codeProblem([]rune(text))
		},
		schema: map[string]any{keyPattern: `^[0-9\p{L}](?:[0-9\p{L}_. -]*[0-9\p{L}])?$`},
		note:   undamaged + "; no full-width letters",
	}
}

func codeProblem(text []rune) string {
	for i, r := range text {
		plain := r >= '0' && r <= '9' || unicode.IsLetter(r) && (r < 'Ａ' || r > 'ｚ')
		between := i > 0 && i < len(text)-1 && strings.ContainsRune("_-. ", r)
		if !plain && !between {
			return payment.At(nameOf(r), i+1)
		}
	}
	return ""
}

// Text is the test for any text: no error value, no word for a missing one.
func Text() Test { return Test{problem: Damage, note: undamaged} }

// digitsProblem names the first character that is neither a digit of ASCII nor one of the others.
func digitsProblem(text, others string) string {
	if problem := NumberDamage(text); problem != "" {
		return problem
	}
	position := 0
	for _, r := range text {
		position++
		if (r < '0' || r > '9') && !strings.ContainsRune(others, r) {
			return payment.At(nameOf(r), position)
		}
	}
	return ""
}

// signs are characters by what they are called. The value itself is personal data: only so much of it is reported.
var signs = map[rune]string{
	' ': "a blank", '.': "a dot", ',': "a comma", ';': "a semicolon", ':': "a colon", '/': "a slash", '\\': "a backslash", '+': "a plus sign", '-': "a hyphen",
	'=': "an equals sign", '#': "a number sign", '*': "an asterisk", '_': "an underscore", '@': "an at sign", '!': "an exclamation mark", '?': "a question mark",
	'\'': "an apostrophe", '’': "an apostrophe", '‘': "a quotation mark", '"': "a quotation mark", '“': "a quotation mark", '”': "a quotation mark",
	'‐': "a hyphen that is not of ASCII", '‑': "a no-break hyphen", '‒': "a figure dash", '–': "an en dash", '—': "an em dash", '―': "a horizontal bar",
	'−': "a minus sign", '﹣': "a small hyphen", '－': "a full-width hyphen", 'ー': "a long vowel sign", '·': "a middle dot", '…': "an ellipsis",
}

// nameOf says what a character is called, and of a letter or a digit not which.
func nameOf(r rune) string {
	if name := payment.UnseenCharacter(r); name != "" {
		return name
	}
	if name := signs[r]; name != "" {
		return name
	}
	switch {
	case r >= '０' && r <= '９':
		return "a full-width digit"
	case r >= '0' && r <= '9':
		return "a digit"
	case unicode.Is(unicode.Pd, r):
		return "a dash"
	case unicode.In(r, unicode.Ps, unicode.Pe):
		return "a bracket"
	case unicode.In(r, unicode.Pi, unicode.Pf):
		return "a quotation mark"
	case r >= 'Ａ' && r <= 'ｚ':
		return "a full-width letter"
	case unicode.IsLetter(r):
		return "a letter"
	case unicode.IsNumber(r):
		return "a digit that is not of ASCII"
	case unicode.IsMark(r):
		return "an accent without a letter"
	}
	return "a special character"
}
