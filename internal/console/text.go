package console

import (
	"strings"
	"unicode"

	"payonce/pkg/payment"
)

// plain replaces what is not seen and can change how text beside it reads: escapes of terminals, and what turns the direction of
// writing. Customers and providers write some of these texts.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// plainLines is plain for a text of several lines.
func plainLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

// cell makes a text safe in a CSV file: a spreadsheet takes what begins like a formula for one.
func cell(text string) string {
	text = strings.TrimLeft(plain(text), " ")
	if text != "" && strings.ContainsRune("=+-@＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}

// reasonText is a reason in one line.
func reasonText(r *payment.Reason) string { return plain(r.Line()) }
