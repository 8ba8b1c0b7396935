package ecommpay

import "strings"

// compareNatural orders texts like PHP's SORT_NATURAL (strnatcmp): runs of digits by their number, so
// that 2 stands before 10; leading zeros and white space do not count. The platform is written in PHP
// and sorts the paths so.
func compareNatural(a, b string) int {
	return compareRuns(withoutLeadingZeros(a), withoutLeadingZeros(b))
}

// compareRuns compares from where leading zeros count.
func compareRuns(a, b string) int {
	for a != "" && b != "" {
		a, b = strings.TrimLeft(a, phpSpace), strings.TrimLeft(b, phpSpace)
		if startsDigit(a) && startsDigit(b) {
			var order int
			if order, a, b = compareNumbers(a, b); order != 0 {
				return order
			}
			if a == "" || b == "" {
				break
			}
		}
		if a == "" || b == "" {
			break
		}
		if a[0] != b[0] {
			return signum(int(a[0]) - int(b[0]))
		}
		a, b = a[1:], b[1:]
	}
	return signum(len(a) - len(b)) // one of them is empty
}

const phpSpace = " \t\n\v\f\r"

func withoutLeadingZeros(s string) string {
	for len(s) > 1 && s[0] == '0' && startsDigit(s[1:]) {
		s = s[1:]
	}
	return s
}

// compareNumbers compares the runs of digits that a and b begin with and returns what follows them. A
// run that begins with 0 is read as a fraction, digit by digit; of others the longer one is the greater.
func compareNumbers(a, b string) (order int, restA, restB string) {
	fraction := a[0] == '0' || b[0] == '0'
	for ; startsDigit(a) && startsDigit(b); a, b = a[1:], b[1:] {
		if order == 0 {
			order = signum(int(a[0]) - int(b[0]))
		}
		if fraction && order != 0 {
			return order, a, b
		}
	}
	switch {
	case startsDigit(a):
		order = 1
	case startsDigit(b):
		order = -1
	}
	return order, a, b
}

func startsDigit(s string) bool { return s != "" && '0' <= s[0] && s[0] <= '9' }

func signum(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
