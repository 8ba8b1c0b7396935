package docstest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// part returns what stands on a page between two marks.
func part(t *testing.T, page, name string) string {
	t.Helper()
	_, after, begins := strings.Cut(page, "<!-- "+name+" -->")
	text, _, ends := strings.Cut(after, "<!-- end of "+name+" -->")
	if !begins || !ends {
		t.Fatalf("the page has no part %s", name)
	}
	return text
}

// The table that is kept by hand names rules of the list above it, which connectortest compares with the
// code.
func TestChangesByHandNameRulesOfTheSuite(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "connectors.md"))
	if err != nil {
		t.Fatal(err)
	}
	rules, count := part(t, string(text), "rules"), 0
	for _, r := range rows(part(t, string(text), "changes")) {
		if rule := strings.TrimSpace(r.cells[len(r.cells)-1]); !strings.Contains(rules, "\n- "+rule+"\n") {
			t.Errorf("%s: the suite has no rule %q", r.cells[0], rule)
		}
		count++
	}
	if count < 25 {
		t.Errorf("%d changes are found", count)
	}
}
