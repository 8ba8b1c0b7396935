package check

import (
	"fmt"
	"strconv"
	"strings"
)

// mostDigits are the digits of a whole amount that payment.ParseMoney reads.
const mostDigits = 15

// amountPattern returns the pattern of positive amounts whose whole units are from least to most, 0 being no bound, and that
// have at most so many decimals.
func amountPattern(least, most int64, decimals int) string {
	if most == 0 {
		most, _ = strconv.ParseInt(strings.Repeat("9", mostDigits), 10, 64)
	}
	whole := wholePattern(max(least, 1), most)
	if decimals == 0 {
		return "^(?:" + whole + ")$"
	}
	pattern := fmt.Sprintf(`(?:%s)(?:\.[0-9]{1,%d})?`, whole, decimals)
	if least == 0 { // less than one unit, and more than nothing
		for zeros := range decimals {
			pattern += fmt.Sprintf(`|0\.0{%d}[1-9][0-9]{0,%d}`, zeros, decimals-1-zeros)
		}
	}
	return "^(?:" + pattern + ")$"
}

// wholePattern returns the pattern of the numbers from least to most, both positive and written without leading zeros.
func wholePattern(least, most int64) string {
	var parts []string
	for from := least; from <= most; {
		// All numbers that begin as from does and end in so many free digits, as long as none is beyond most.
		free, width := 0, int64(1)
		for from%(width*10) == 0 && from+width*10-1 <= most {
			free, width = free+1, width*10
		}
		// The digit before the free ones may go up to 9.
		last := from
		for last/width%10 < 9 && last+2*width-1 <= most {
			last += width
		}
		parts = append(parts, part(from/width, last/width%10, free))
		from = last + width
	}
	return strings.Join(joinRuns(parts), "|")
}

// part is the pattern of numbers with a beginning whose last digit goes up to another, and free digits.
func part(from, to int64, free int) string {
	digits := strconv.FormatInt(from, 10)
	pattern := digits[:len(digits)-1] + span(int64(digits[len(digits)-1]-'0'), to)
	if free == 1 {
		return pattern + "[0-9]"
	}
	if free > 1 {
		return fmt.Sprintf("%s[0-9]{%d}", pattern, free)
	}
	return pattern
}

func span(from, to int64) string {
	if from == to {
		return strconv.FormatInt(from, 10)
	}
	return fmt.Sprintf("[%d-%d]", from, to)
}

// joinRuns makes one of the patterns 1-9, 1-9 and a digit, 1-9 and two digits and so on, which any amount has.
func joinRuns(parts []string) (joined []string) {
	const head = "[1-9]"
	least, most := -1, -1
	for _, one := range parts {
		n := -1
		switch rest, ok := strings.CutPrefix(one, head); {
		case !ok:
		case rest == "":
			n = 0
		case rest == "[0-9]":
			n = 1
		default:
			if _, err := fmt.Sscanf(rest, "[0-9]{%d}", &n); err != nil || fmt.Sprintf("[0-9]{%d}", n) != rest {
				n = -1
			}
		}
		if n < 0 {
			joined = append(joined, one)
			continue
		}
		if least < 0 {
			least = n
		}
		most = n
	}
	if least >= 0 {
		joined = append([]string{fmt.Sprintf("%s[0-9]{%d,%d}", head, least, most)}, joined...)
	}
	return joined
}
