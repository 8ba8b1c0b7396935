package docstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var aDeclaredTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)

// declaredTests returns the names of all tests of the module.
func declaredTests(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range aDeclaredTest.FindAllStringSubmatch(string(text), -1) {
			names[found[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// The last cell of each row of these pages names tests that exist, or says "–" and why there is none.
func TestPagesNameTestsThatExist(t *testing.T) {
	declared := declaredTests(t)
	for _, page := range []string{"webhooks.md", "failure-modes.md", "../SECURITY.md"} {
		text, err := os.ReadFile(filepath.Join(docs, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows(string(text)) {
			last := strings.TrimSpace(r.cells[len(r.cells)-1])
			named := 0
			for _, name := range quoted.FindAllStringSubmatch(last, -1) {
				named++
				if !aTest.MatchString(name[1]) || !declared[name[1]] {
					t.Errorf("%s: %s: there is no test %s", page, strings.TrimSpace(r.cells[0]), name[1])
				}
			}
			if named == 0 && !strings.HasPrefix(last, "– (") {
				t.Errorf("%s: %s: names no test and gives no reason", page, strings.TrimSpace(r.cells[0]))
			}
		}
	}
}
