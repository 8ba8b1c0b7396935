// Package masking makes what a provider wrote fit to be shown: in events, logs and to people. A provider's
// text is free and can repeat what we sent, so it goes through here before it becomes a message.
package masking

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"payonce/pkg/payment"
)

const (
	// MaxText is how many characters of a text are kept.
	MaxText = 200
	// MaxCode is how many characters of a code are kept.
	MaxCode = 16
	// maxRead bounds the work on one text, in characters.
	maxRead = 10 * MaxText
)

// mask stands for what is covered.
const mask = "…"

var (
	longNumber = regexp.MustCompile(`[0-9][0-9 -]{4,}[0-9]`)
	mailbox    = regexp.MustCompile(`\S+@\S+`)
)

// Text returns a provider's text with everything personal of the command, every mail address and every
// number of six digits or more covered, control characters as blanks, and at most [MaxText] characters.
// Where the command is not at hand, an empty one still covers addresses and numbers.
func Text(text string, cmd payment.Command) string {
	text = cut(text, maxRead)
	for _, private := range personal(cmd) {
		text = regexp.MustCompile(`(?i)`+regexp.QuoteMeta(private)).ReplaceAllLiteralString(text, mask)
	}
	text = longNumber.ReplaceAllLiteralString(mailbox.ReplaceAllLiteralString(text, mask), mask)
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	return cut(strings.TrimSpace(text), MaxText)
}

// personal returns what a command says about a person, the longest first: a short name inside a longer one
// would leave the rest of that standing. A single character is left out: it occurs in most texts.
func personal(cmd payment.Command) []string {
	values := slices.DeleteFunc([]string{
		cmd.Customer.Name, cmd.Customer.FirstName, cmd.Customer.LastName, cmd.Customer.Email, cmd.Customer.Phone,
		cmd.Customer.IPAddress, cmd.Customer.IDNumber, cmd.Customer.ID, cmd.Account.Number, cmd.Account.Holder,
	}, func(value string) bool { return utf8.RuneCountInString(value) < 2 })
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	return values
}

// code is what codes and statuses of providers look like: short numbers and words of ASCII.
var code = regexp.MustCompile(`^[A-Za-z0-9_.: -]*$`)

// Code returns a provider's code or status, which should be a small number or a few words, with at most [MaxCode]
// characters. What is no such thing is covered as a whole: it can be a name, and a number of six digits or more
// that of an account.
func Code(text string) string {
	if !code.MatchString(text) || longNumber.MatchString(text) {
		return mask
	}
	return cut(text, MaxCode)
}

// cut keeps the first n characters and marks that there were more.
func cut(text string, n int) string {
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n]) + mask
	}
	return text
}
