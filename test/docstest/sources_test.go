package docstest

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	aNumberedDocument = regexp.MustCompile(`(?i)\bseeds?[ /]0\d`)
	aComment          = regexp.MustCompile(`(?m)(?:^|\s)(?://|#)(.*)$`)
	aPageName         = regexp.MustCompile(`[\w./-]*\w\.md\b`)
)

// uncitable returns what a file points to and a reader cannot open: a provider's document by a number instead of its
// short name in docs/sources.md, or a page that is not in the repository. Links of pages are left to [TestLinks].
func uncitable(file, text string) []string {
	bad := aNumberedDocument.FindAllString(text, -1)
	if path.Ext(file) == ".md" {
		return bad
	}
	for _, comment := range aComment.FindAllStringSubmatch(text, -1) {
		if strings.Contains(comment[1], "://") {
			continue
		}
		for _, name := range aPageName.FindAllString(comment[1], -1) {
			if exists(name) != nil && exists("docs/"+name) != nil && exists(path.Join(path.Dir(file), name)) != nil {
				bad = append(bad, name)
			}
		}
	}
	return bad
}

// Comments and pages cite providers' documents by name, and only pages that are in the repository.
func TestCitations(t *testing.T) {
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := len(entry.Name()) > 2 && entry.Name()[0] == '.'
		if entry.IsDir() && (hidden || slices.Contains([]string{"docstest", "bin", "secrets", "node_modules"}, entry.Name())) {
			return fs.SkipDir
		}
		if entry.IsDir() || !slices.Contains(append(ofText, ".md"), filepath.Ext(name)) {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(root, name)
		for _, bad := range uncitable(filepath.ToSlash(within), string(text)) {
			t.Errorf("%s cites %s: cite a provider's document by its short name in docs/sources.md, and only pages that are here", within, bad)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBadCitationsAreSeen(t *testing.T) {
	for _, wrong := range []string{"// as seed 004 has it", `note: "see seeds/000_8a.txt"`, "// Seeds 000 to 002", "// see DESIGN.md", "  #see docs/configuration.md"} {
		if len(uncitable("pkg/worker/worker.go", wrong)) != 1 {
			t.Errorf("%q is not seen", wrong)
		}
	}
	for _, right := range []string{"// ECommPay's Korean banks page", "// see docs/sources.md", "// see payctl.md", "--seed 7", "// https://example.com/x.md"} {
		if bad := uncitable("pkg/worker/worker.go", right); len(bad) > 0 {
			t.Errorf("%q is called wrong: %v", right, bad)
		}
	}
}
