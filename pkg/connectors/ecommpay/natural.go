package ecommpay

// The platform is written in PHP and sorts the paths by SORT_NATURAL (strnatcmp): runs of digits by their number, so
// that 2 comes before 10. White space does not count but at the end and behind a number, nor do zeros that a path
// begins with; a run elsewhere that begins with 0 is read as a fraction, digit by digit.
//
// A path in natural order is a text that compares bytewise with others as strnatcmp compares the paths. Bytes below
// "0" are in it as the second next byte, so that there is room for:
const (
	blankEnd    = 1   // at the end: white space that was passed over
	fractionEnd = 1   // behind a run that begins with 0
	fraction    = '2' // begins such a run in the place of its 0
	number      = '3' // begins a run of one digit, the next byte one of two digits, and so on
	longNumber  = '9' // begins a run that has more digits than six, and says how many
)

// appendNatural appends a path in natural order.
func appendNatural(out []byte, path string) []byte {
	path, blank := withoutLeadingZeros(path), false
	for i := 0; i < len(path); {
		c := path[i]
		if blank = c == ' ' || '\t' <= c && c <= '\r'; blank {
			i++
			continue
		}
		if digit(c) {
			end := i + 1
			for end < len(path) && digit(path[end]) {
				end++
			}
			out = appendRun(out, path[i:end])
			if i = end; i == len(path) {
				break
			}
			c = path[i] // also if it is white space
		}
		if i++; c < '0' {
			c += 2
		}
		out = append(out, c)
	}
	if blank {
		out = append(out, blankEnd)
	}
	return out
}

// appendRun appends a run of digits.
func appendRun(out []byte, digits string) []byte {
	length := len(digits)
	switch {
	case digits[0] == '0':
		return append(append(append(out, fraction), digits[1:]...), fractionEnd)
	case number+length-1 < longNumber:
		out = append(out, byte(number+length-1))
	default:
		for out = append(out, longNumber); length >= 255; length -= 254 {
			out = append(out, 255)
		}
		out = append(out, byte(length))
	}
	return append(out, digits...)
}

func withoutLeadingZeros(path string) string {
	for len(path) > 1 && path[0] == '0' && digit(path[1]) {
		path = path[1:]
	}
	return path
}

func digit(c byte) bool { return '0' <= c && c <= '9' }
