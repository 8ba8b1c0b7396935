package check

import (
	"regexp"
	"slices"
	"strings"
)

// The forms in which spreadsheets and programs write something else than the value that a person had typed.
var (
	// English, German, French… "#N/A", "#REF!", "#NAME?", "#WERT!", "#NV", and LibreOffice's "Err:502".
	cellError  = regexp.MustCompile(`^(#[\p{L}0-9/_. ]+[!?]|#(?i:N/A|N/D|NV|NA|GETTING_DATA|ERROR|NULL|EMPTY)|(?i:Err):[0-9]{3})$`)
	narrowCell = regexp.MustCompile(`^#+$`)
	rounded    = regexp.MustCompile(`^[+-]?[0-9]+([.,][0-9]*)?[eE][+-]?[0-9]+$`)
	grouped    = regexp.MustCompile(`^[+-]?[0-9]{1,3}([,.'][0-9]{3})+([.,][0-9]+)?$`)
	decimal    = regexp.MustCompile(`^[+-]?[0-9]*[.,][0-9]*$`)
	date       = regexp.MustCompile(`^([0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})([T ].*)?$`)
)

// RoundedNumber is the problem of a number like 1.10123E+11, whose last digits are gone.
const RoundedNumber = "looks like a number that a spreadsheet rounded"

// missing are how programs write that there is no value, as they write it: a person may be called Null or Nan.
var missing = []string{
	"null", "NULL", "(null)", "<null>", "undefined", "undefined undefined", "null null", "None", "nil", "<nil>", "NaN", "nan", "NaT", "<NA>", `\N`,
	"[object Object]", "[object Undefined]", "[object Null]",
}

// missingNumbers are more of them, in any case, that could be a name.
var missingNumbers = []string{"null", "none", "nan", "na", "n/a", "-nan", "inf", "-inf", "+inf", "infinity", "-infinity", "undefined", "nil", "empty", "(empty)", "blank"}

// Damage returns what a spreadsheet or a program made of any text, or "": the error of a cell, or the word for
// no value. It never holds the text.
func Damage(text string) string {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return ""
	case narrowCell.MatchString(text):
		return "looks like a spreadsheet's cell that was too narrow for its number"
	case cellError.MatchString(text):
		return "looks like an error value of a spreadsheet"
	case slices.Contains(missing, text):
		return "looks like a program's word for a missing value"
	case strings.HasPrefix(text, `="`) || strings.HasPrefix(text, "=("):
		return "looks like a formula of a spreadsheet"
	}
	return ""
}

// NumberDamage returns what a spreadsheet or a program made of a text of digits, like the number of an account,
// or "". It never holds the text.
func NumberDamage(text string) string {
	if problem := Damage(text); problem != "" {
		return problem
	}
	text = strings.TrimSpace(text)
	lower := strings.ToLower(text)
	switch {
	case strings.HasPrefix(text, "="):
		return "looks like a formula of a spreadsheet"
	case strings.HasPrefix(text, "'") || strings.HasPrefix(text, "’") || strings.HasPrefix(text, "‘"):
		return "begins with the apostrophe that a spreadsheet puts before a number kept as text"
	case rounded.MatchString(text):
		return RoundedNumber
	case date.MatchString(text):
		return "looks like a date that a spreadsheet made of a number"
	case grouped.MatchString(text):
		return "looks like a number that a spreadsheet wrote with separators of thousands"
	case strings.ContainsAny(text, "0123456789") && decimal.MatchString(text):
		return "looks like a number that a spreadsheet wrote with decimals"
	case lower == "true" || lower == "false":
		return "looks like a truth value of a spreadsheet"
	case slices.Contains(missingNumbers, lower):
		return "looks like a program's word for a missing value"
	}
	return ""
}
