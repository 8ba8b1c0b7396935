package docstest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// matches returns the first group of every match, sorted.
func matches(text, pattern string) (found []string) {
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return found
}

// part returns what is on a page between two marks.
func part(t *testing.T, page, name string) string {
	t.Helper()
	_, after, begins := strings.Cut(page, "<!-- "+name+" -->")
	text, _, ends := strings.Cut(after, "<!-- end of "+name+" -->")
	if !begins || !ends {
		t.Fatalf("the page has no part %s", name)
	}
	return text
}

// README shows lines of the example, in its order.
func TestReadmeShowsTheLedger(t *testing.T) {
	fenced, _ := blocks(text(t, "README.md"))
	code := text(t, "examples/ledger/main.go")
	for _, b := range fenced {
		if b.language != "go" {
			continue
		}
		rest := code
		for line := range strings.Lines(b.text) {
			if strings.TrimSpace(line) == "// …" {
				continue
			}
			_, after, found := strings.Cut(rest, line)
			if !found {
				t.Fatalf("examples/ledger/main.go has no line %q there", line)
			}
			rest = after
		}
	}
}

// The page for upstream services names every problem of the ingress.
func TestUpstreamPageIsTheIngress(t *testing.T) {
	text := page(t, filepath.Join(docs, "upstream.md"))
	want := matches(page(t, "../../pkg/ingress/problem.go"), `(?m)^\tkind\w+ += "([a-z_]+)"`)
	if named := matches(part(t, text, "problems"), "`([a-z_]+)`"); !slices.Equal(named, want) || len(want) == 0 {
		t.Errorf("the page names\n%v\nthe ingress has\n%v", named, want)
	}
}
