package check_test

import (
	"strings"
	"testing"

	"payonce/pkg/connectors/check"
)

// problem returns what a test finds, and fails the test if it reveals the value.
func problem(t *testing.T, test check.Test, value string) string {
	t.Helper()
	found := test.Problem(value)
	if len(value) > 4 && strings.Contains(found, value) {
		t.Errorf("the problem tells the value: %s", found)
	}
	return found
}

const (
	roundedNumber = "looks like a number that a spreadsheet rounded"
	withDecimals  = "looks like a number that a spreadsheet wrote with decimals"
	errorValue    = "looks like an error value of a spreadsheet"
	tooNarrow     = "looks like a spreadsheet's cell that was too narrow for its number"
	missingValue  = "looks like a program's word for a missing value"
	formula       = "looks like a formula of a spreadsheet"
	apostrophe    = "begins with the apostrophe that a spreadsheet puts before a number kept as text"
	madeDate      = "looks like a date that a spreadsheet made of a number"
	thousands     = "looks like a number that a spreadsheet wrote with separators of thousands"
	truth         = "looks like a truth value of a spreadsheet"
)

func TestAccountNumber(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "950-001413-01-010": "", "95000141301010": "", "110123": "", strings.Repeat("1", 20): "", "000-001": "", "1101-12-31245": "", "110-12-345678": "",
		"#N/A": errorValue, "#REF!": errorValue, "#VALUE!": errorValue, "#NAME?": errorValue, "#DIV/0!": errorValue, "#NUM!": errorValue, "#NULL!": errorValue, "#SPILL!": errorValue,
		"#WERT!": errorValue, "#NV": errorValue, "#값!": errorValue, "#n/a": errorValue, "Err:502": errorValue, " #N/A ": errorValue, "########": tooNarrow, "#": tooNarrow,
		"nan": missingValue, "NaN": missingValue, "-nan": missingValue, "inf": missingValue, "undefined": missingValue, "NULL": missingValue, "None": missingValue, "N/A": missingValue,
		"n/a": missingValue, "<NA>": missingValue, `\N`: missingValue, "[object Object]": missingValue, "(null)": missingValue,
		"TRUE": truth, "False": truth,
		"1.10123E11": roundedNumber, "1.10123E+11": roundedNumber, "1.1e+11": roundedNumber, "1,10123E+11": roundedNumber, "1E11": roundedNumber, "-1.1E+11": roundedNumber, "1.E+11": roundedNumber,
		"11012345678901.0": withDecimals, "11012345678901.00": withDecimals, "11012345678901,0": withDecimals, "11012345678901.": withDecimals, "950.001413": withDecimals,
		"1,101,234": thousands, "110.123.456": thousands, "110'123'456": thousands, "1,101,234.00": thousands,
		`="95000141301010"`: formula, "=95000141301010": formula, "=A1": formula, "'95000141301010": apostrophe, "’95000141301010": apostrophe,
		"950-01-1": madeDate, "2026-01-31": madeDate, "31/01/2026": madeDate, "2026.1.31": madeDate, "2026-01-31T00:00:00Z": madeDate, "1-2-2026": madeDate, "2026-01-31 00:00:00": madeDate,
		"950\u200b00141301010": "has a zero-width space at position 4", "950\u00a0001413": "has a no-break space at position 4", "\ufeff95000141301010": "has a byte order mark at position 1",
		"95000141301010\u202c": "has a bidirectional control character at position 15", "950001413\u00ad01": "has a soft hyphen at position 10", "950\u202f001413": "has a no-break space at position 4",
		"950–001413–01": "has an en dash at position 4", "950—001413": "has an em dash at position 4", "950−001413": "has a minus sign at position 4", "950‑001413": "has a no-break hyphen at position 4",
		"950－001413": "has a full-width hyphen at position 4", "９５０００１４１３０１０": "has a full-width digit at position 1", "95000141301０10": "has a full-width digit at position 12",
		"٩٥٠٠٠١٤١٣": "has a digit that is not of ASCII at position 1", "950 001413 01": "has a blank at position 4", " 95000141301": "has a blank at position 1", "95000141301 ": "has a blank at position 12",
		"“95000141301”": "has a quotation mark at position 1", `"95000141301"`: "has a quotation mark at position 1", "95000141301\n": "has a line break at position 12", "950\t001413": "has a tab at position 4",
		"9500014l301": "has a letter at position 8", "O50001413": "has a letter at position 1", "KR950001413": "has a letter at position 1", "국민 950001413": "has a letter at position 1",
		"+950001413": "has a plus sign at position 1", "@950001413": "has an at sign at position 1", "950/001413": "has a slash at position 4", "950_001413": "has an underscore at position 4",
		"950001413;1": "has a semicolon at position 10", "(950)001413": "has a bracket at position 1", "950001413*": "has an asterisk at position 10", "950②001413": "has a digit that is not of ASCII at position 4",
		"12345": "must have 6 to 20 digits", "1-2-3-4-5": "must have 6 to 20 digits", strings.Repeat("1", 21): "must have 6 to 20 digits", "-": "must have 6 to 20 digits", "---": "must have 6 to 20 digits",
		"-950001413": "may have single hyphens between digits only", "950001413-": "may have single hyphens between digits only", "950--001413": "may have single hyphens between digits only",
		"000000": "has no digit but zero", "000-0000-00": "has no digit but zero",
	} {
		if have := problem(t, check.AccountNumber(check.MostDigits), text); have != want {
			t.Errorf("%+q: have %q, want %q", text, have, want)
		}
	}
}

func TestLastDigits(t *testing.T) {
	for text, want := range map[string]string{
		"12345": "", "00000": "", "": "must be the last 5 digits of an account", "1234": "must be the last 5 digits of an account", "123456": "must be the last 5 digits of an account",
		"1234-5": "has a hyphen at position 5", "１2345": "has a full-width digit at position 1", "12345.0": withDecimals, "1.2E4": roundedNumber, "#####": tooNarrow, "'12345": apostrophe,
		"12\u200b345": "has a zero-width space at position 3", "nan": missingValue,
	} {
		if have := problem(t, check.LastDigits(5), text); have != want {
			t.Errorf("%+q: have %q, want %q", text, have, want)
		}
	}
}

func TestNumberAndText(t *testing.T) {
	for text, want := range map[string][2]string{ // as a number, as a text
		"751": {}, "": {}, "KBSTAR_KR": {}, "-홍": {}, "+홍": {}, "@홍": {}, "'t Hooft": {apostrophe, ""}, "-": {}, "국민은행": {}, "Nan": {missingValue, ""}, "Null": {missingValue, ""},
		"7.51E+02": {roundedNumber, ""}, "751.0": {withDecimals, ""}, "#N/A": {errorValue, errorValue}, "####": {tooNarrow, tooNarrow}, `="홍"`: {formula, formula},
		"undefined": {missingValue, missingValue}, "NULL": {missingValue, missingValue}, "=1+1": {formula, ""}, "#1 Shop": {}, "Err:502": {errorValue, errorValue},
	} {
		have := [2]string{problem(t, check.Number(), text), problem(t, check.Text(), text)}
		if have != want {
			t.Errorf("%q: have %q, want %q", text, have, want)
		}
	}
}

func TestCode(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "751": "", "KBSTAR_KR": "", "국민은행": "", "KB Bank": "", "KR-004.A": "", "７５１": "has a full-width digit at position 1", "75１": "has a full-width digit at position 3",
		" 751": "has a blank at position 1", "751 ": "has a blank at position 4", "-751": "has a hyphen at position 1", "ＫＢ": "has a full-width letter at position 1", "7;5": "has a semicolon at position 2",
		"KB&a=b": "has a special character at position 3", "751.0": withDecimals, "#N/A": errorValue,
	} {
		if have := problem(t, check.Code(), text); have != want {
			t.Errorf("%q: have %q, want %q", text, have, want)
		}
	}
}

func TestNames(t *testing.T) {
	const plain = ": this provider accepts letters, digits and spaces"
	for text, want := range map[string][2]string{ // for all providers, and for one that takes no special characters
		"": {}, "홍길동": {}, "Hong Gil Dong": {}, "José": {}, "王小明": {}, "3M Korea": {}, "Nan": {}, "True": {},
		"-홍길동":    {"", "has a hyphen at position 1" + plain},
		"+홍길동":    {"", "has a plus sign at position 1" + plain},
		"@홍길동":    {"", "has an at sign at position 1" + plain},
		"O'Brien": {"", "has an apostrophe at position 2" + plain},
		"(주)길동":   {"", "has a bracket at position 1" + plain},
		"홍길동★":    {"", "has a special character at position 4" + plain},
		"홍길동😀":    {"", "has a special character at position 4" + plain},
		"###":     {tooNarrow, "has a number sign at position 1" + plain},
		"#N/A":    {errorValue, "has a number sign at position 1" + plain},
		"null":    {missingValue, ""}, "undefined": {missingValue, ""},
		"???": {"must have a letter", "has a question mark at position 1" + plain}, "12345": {"must have a letter", ""},
	} {
		have := [2]string{problem(t, check.Name(), text), problem(t, check.PlainName(), text)}
		if have != want {
			t.Errorf("%q: have %q, want %q", text, have, want)
		}
	}
}
