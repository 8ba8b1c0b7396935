package boundedjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// decode appends the text of a string with escapes, and returns where it is. Half of a surrogate pair becomes
// U+FFFD, as encoding/json has it.
func (p *parser) decode(quoted string) (from, to uint32) {
	begin := len(p.decoded)
	for i := 0; i < len(quoted); i++ {
		c := quoted[i]
		if c != '\\' {
			p.decoded = append(p.decoded, c)
			continue
		}
		i++
		switch quoted[i] {
		case 'b':
			p.decoded = append(p.decoded, '\b')
		case 'f':
			p.decoded = append(p.decoded, '\f')
		case 'n':
			p.decoded = append(p.decoded, '\n')
		case 'r':
			p.decoded = append(p.decoded, '\r')
		case 't':
			p.decoded = append(p.decoded, '\t')
		case 'u':
			r := hex4(quoted[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if rest := quoted[i+1:]; len(rest) >= 6 && rest[0] == '\\' && rest[1] == 'u' {
					low = hex4(rest[2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			p.decoded = utf8.AppendRune(p.decoded, r)
		default: // the byte itself
			p.decoded = append(p.decoded, quoted[i])
		}
	}
	length := len(p.text)
	return uint32(length + begin), uint32(length + len(p.decoded))
}

// hex4 reads the four digits that a text begins with.
func hex4(text string) rune {
	n, _ := strconv.ParseUint(text[:4], 16, 16) // checked before
	return rune(n)
}
