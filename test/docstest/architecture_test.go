package docstest

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	aFile     = regexp.MustCompile(`^[\w./-]+/[\w.-]+\.(go|lua|yaml|conf)$`)
	aFunction = regexp.MustCompile(`^(\w+)\(\)$`)
	// aBeginning is how a paragraph, an item or a row begins.
	aBeginning = regexp.MustCompile(`^(\s*$|#|\||- |\d+\. )`)
)

// misplaced returns what a page says of a file that is not so: "`a/b.go`: `F()`" says that a/b.go is there and declares F.
// The functions of a paragraph, an item or a row belong to the last file that was named in it.
func misplaced(page string) (wrong []string) {
	file, source := "", ""
	for line := range strings.Lines(page) {
		if aBeginning.MatchString(line) {
			file, source = "", ""
		}
		for _, name := range quoted.FindAllStringSubmatch(line, -1) {
			if aFile.MatchString(name[1]) {
				file = name[1]
				data, err := os.ReadFile(filepath.Join(root, file))
				if source = string(data); err != nil {
					wrong = append(wrong, file)
				}
				continue
			}
			function := aFunction.FindStringSubmatch(name[1])
			if function != nil && !regexp.MustCompile(`(?m)^func (\([^)]*\) )?`+function[1]+`[\[(]`).MatchString(source) {
				wrong = append(wrong, file+": "+name[1])
			}
		}
	}
	return wrong
}

// folders returns the folders of the repository that hold Go files, and those of deploy.
func folders(t *testing.T) []string {
	t.Helper()
	found := map[string]bool{}
	for _, top := range []string{"cmd", "pkg", "internal", "test", "deploy", "examples"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			// Tests make laidout and, in test/clients, a folder that ./... leaves out, while this one may run.
			if entry.IsDir() && (slices.Contains([]string{"testdata", "node_modules", "laidout"}, entry.Name()) || strings.HasPrefix(entry.Name(), "_")) {
				return fs.SkipDir
			}
			within, err := filepath.Rel(root, name)
			if within = filepath.ToSlash(within); strings.HasSuffix(within, ".go") {
				found[path.Dir(within)] = true
			}
			if entry.IsDir() && path.Dir(within) == "deploy" {
				found[within] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// The map names files and functions where they are, and every folder.
func TestArchitecture(t *testing.T) {
	page := text(t, "docs/architecture.md")
	for _, wrong := range misplaced(page) {
		t.Errorf("docs/architecture.md: %s is not there", wrong)
	}
	named := map[string]bool{}
	for _, name := range matches(page, "(?m)^\\| `([\\w/-]+)` \\|") {
		named[name] = true
	}
	for _, name := range folders(t) {
		if !named[name] {
			t.Errorf("docs/architecture.md has no line for the folder %s", name)
		}
	}
}

func TestMisplacedFunctionsAreSeen(t *testing.T) {
	for page, want := range map[string]int{
		"`pkg/payment/decide.go`: `Decide()`, `classify()`":                       0,
		"1. `pkg/worker/append.go`: `observe()`\n   and `decide()`":               0,
		"`pkg/payment/decide.go`: `Ended()`":                                      1,
		"`pkg/payment/nothing.go`":                                                1,
		"`Decide()`":                                                              1,
		"`pkg/payment/decide.go`: `Decide()`\n\n`classify()`":                     1,
		"`pkg/payment/decide.go`, `pkg/payment/status.go`: `Decide()`, `Ended()`": 1,
	} {
		if wrong := misplaced(page); len(wrong) != want {
			t.Errorf("%q: %v", page, wrong)
		}
	}
}
