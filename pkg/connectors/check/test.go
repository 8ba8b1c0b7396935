package check

import (
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"
)

// Test is one thing that must hold about a text that is not empty.
type Test struct {
	problem func(text string) string
	// schema are the keywords of JSON Schema that say the same: what they refuse, problem refuses. Note is what problem
	// refuses and they cannot say, for people.
	schema map[string]any
	note   string
}

// Problem returns what is wrong with a text, for people and without the text, or "".
func (t Test) Problem(text string) string { return t.problem(text) }

// That is a test that JSON Schema cannot say. The note tells people what must hold, e.g. "no semicolon before an equals sign".
func That(holds func(text string) bool, problem, note string) Test {
	return Test{problem: ifNot(holds, problem), note: note}
}

// Match is the test that a text matches a pattern, which is one of Go and of JavaScript and means the same in both.
func Match(pattern *regexp.Regexp, problem string) Test {
	return Test{problem: ifNot(pattern.MatchString, problem), schema: map[string]any{keyPattern: pattern.String()}}
}

// OneOf is the test that a text is one of these.
func OneOf(problem string, texts ...string) Test {
	return Test{
		problem: ifNot(func(text string) bool { return slices.Contains(texts, text) }, problem),
		schema:  map[string]any{keyEnum: texts},
	}
}

// Most is the test that a text has at most n characters.
func Most(n int) Test {
	return Test{
		problem: ifNot(func(text string) bool { return utf8.RuneCountInString(text) <= n }, fmt.Sprintf("must have at most %d characters", n)),
		schema:  map[string]any{keyMaxLength: n},
	}
}

// Between is the test that a text has so many characters.
func Between(least, most int) Test {
	return Test{
		problem: ifNot(func(text string) bool {
			n := utf8.RuneCountInString(text)
			return n >= least && n <= most
		}, fmt.Sprintf("must have %d to %d characters", least, most)),
		schema: map[string]any{keyMinLength: least, keyMaxLength: most},
	}
}

var notBlank = regexp.MustCompile(`\S`)

// NotBlank is the test that a text is more than blanks.
func NotBlank() Test {
	return Test{
		problem: ifNot(func(text string) bool { return !blank(text) }, "must not be blank"),
		schema:  map[string]any{keyPattern: notBlank.String()},
	}
}

func ifNot(holds func(string) bool, problem string) func(string) string {
	return func(text string) string {
		if holds(text) {
			return ""
		}
		return problem
	}
}
