package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goValue is what Go prints of a value that has no words, and what is left of a sentence without one of its values.
var goValue = regexp.MustCompile(`map\[|\[\]string|%!|<nil>|&\{|\{[A-Z]\w*:|\b(?:deposit|payout)  of\b|\b0x[0-9a-f]{8,}`)

// readable wants no line to be wider than so many columns, unless most is 0, and none to show a value as Go prints it.
func readable(t *testing.T, out string, most int) {
	t.Helper()
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if n := columns(line); most > 0 && n > most {
			t.Errorf("%d columns, %d fit: %s", n, most, line)
		}
		if bad := goValue.FindString(line); bad != "" {
			t.Errorf("%q is shown: %s", bad, line)
		}
	}
}

func TestGoValuesAreSeen(t *testing.T) {
	for line, bad := range map[string]bool{
		"the webhook asks for map[customer:[last_name]]": true, "must be one of []string{a}": true, "%!v(MISSING)": true, "error <nil>": true,
		"ecommpay-kr, payout  of 10000 KRW": true, "{Value:1}": true, "0xc000123456": true,
		"  0.1s   ecommpay-kr, payout of 10000 KRW": false, "payout   settled   10000 KRW": false, `{"map":[1]}`: false, "100 %": false,
	} {
		if goValue.MatchString(line) != bad {
			t.Errorf("%s: %t", line, !bad)
		}
	}
}

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "기업은행": 8, "a → b": 5, "1 ×": 3} {
		if got := columns(text); got != want {
			t.Errorf("%q: %d columns, want %d", text, got, want)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two three", []string{"one two", "three"}},
		{"  one two three", []string{"  one", "  two", "  three"}},
		{"기업 은행 가", []string{"기업", "은행 가"}},
		{"longerthanaline b", []string{"longerthanaline", "b"}},
	} {
		if got := wrap(c.text, 8); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

func TestShorten(t *testing.T) {
	for text, want := range map[string]string{"abcdef": "abcdef", "abcdefg": "abcde…", "기업은행": "기업…"} {
		if got := shorten(text, 6); got != want || columns(got) > 6 {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestListed(t *testing.T) {
	for want, fields := range map[string]map[string][]string{
		"":                   {},
		"customer.last_name": {"customer": {"last_name"}},
		"a.x, a.y and b.z":   {"b": {"z"}, "a": {"y", "x"}},
	} {
		if got := listed(fields); got != want {
			t.Errorf("%v: %q, want %q", fields, got, want)
		}
	}
}
