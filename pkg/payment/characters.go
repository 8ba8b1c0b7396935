package payment

import (
	"fmt"
	"unicode"
)

// unseen are characters that a reader does not see, or sees as another one, by what they are called. What a
// person compares on a screen must be what the provider compares.
var unseen = []struct {
	first, last rune
	name        string
}{
	{'\n', '\n', "a line break"}, {'\r', '\r', "a line break"}, {'\t', '\t', "a tab"},
	{0x00a0, 0x00a0, "a no-break space"}, {0x00ad, 0x00ad, "a soft hyphen"}, {0x034f, 0x034f, "an invisible joiner"},
	{0x061c, 0x061c, bidi}, {0x115f, 0x1160, hangulFiller}, {0x180b, 0x180f, "an invisible Mongolian character"},
	{0x200b, 0x200b, "a zero-width space"}, {0x200c, 0x200c, "a zero-width non-joiner"}, {0x200d, 0x200d, "a zero-width joiner"},
	{0x200e, 0x200f, bidi}, {0x2028, 0x2029, "a line break"}, {0x202a, 0x202e, bidi}, {0x202f, 0x202f, "a no-break space"},
	{0x2060, 0x2060, "a word joiner"}, {0x2066, 0x2069, bidi}, {0x2800, 0x2800, "a Braille pattern without dots"}, {0x3000, 0x3000, "a full-width space"},
	{0x3164, 0x3164, hangulFiller}, {0xfe00, 0xfe0f, selector}, {0xfeff, 0xfeff, "a byte order mark"}, {0xffa0, 0xffa0, hangulFiller},
	{unicode.ReplacementChar, unicode.ReplacementChar, "a damaged character (U+FFFD)"},
	{0xe0100, 0xe01ef, selector},
}

const (
	bidi         = "a bidirectional control character"
	hangulFiller = "an invisible Hangul filler"
	selector     = "a variation selector"
)

// UnseenCharacter returns the name of a character that is invisible, or that looks like a plain blank and
// is another one: "a zero-width space". It returns "" for all others.
func UnseenCharacter(r rune) string {
	if ' ' <= r && r <= '~' {
		return ""
	}
	for _, u := range unseen {
		if u.first <= r && r <= u.last {
			return u.name
		}
	}
	switch {
	case unicode.Is(unicode.Cc, r):
		return "a control character"
	case unicode.Is(unicode.Cf, r):
		return "an invisible formatting character"
	case unicode.Is(unicode.Zs, r):
		return "an unusual blank"
	case unicode.Is(unicode.Co, r):
		return "a private-use character"
	case !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S):
		return "an unassigned character"
	}
	return ""
}

// disruptive returns the name of a character that changes how the text around it is shown, or tells that the
// text was damaged. The other unseen ones have their place in prose: emoji are joined by some.
func disruptive(r rune) string {
	switch name := UnseenCharacter(r); {
	case unicode.Is(unicode.Cc, r), name == bidi, r == 0x2028, r == 0x2029, r == unicode.ReplacementChar:
		return name
	}
	return ""
}

// At says where the character called name is; position counts characters from 1.
func At(name string, position int) string {
	return fmt.Sprintf("has %s at position %d", name, position)
}
