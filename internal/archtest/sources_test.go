package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// source is one Go file, with its path within the module.
type source struct {
	path  string
	text  []byte
	file  *ast.File
	files *token.FileSet
}

func parse(path string, text []byte) (source, error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments)
	return source{path: path, text: text, file: file, files: files}, err
}

// sources returns all Go files of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && name != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "bin") {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		within, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(within), text)
		all = append(all, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.files.Position(n.Pos()).Line)
}

// uses returns where the file names one of these functions of package time.
func (s source) uses(functions ...string) []string {
	name := ""
	for _, imported := range s.file.Imports {
		if imported.Path.Value == `"time"` {
			name = "time"
			if imported.Name != nil {
				name = imported.Name.Name
			}
		}
	}
	var found []string
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok || !slices.Contains(functions, selector.Sel.Name) {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == name && name != "" {
			found = append(found, s.at(n))
		}
		return true
	})
	return found
}

// readsClock returns where a file reads the wall clock and must not.
func readsClock(s source) []string {
	folder, _, _ := strings.Cut(s.path, "/")
	free := folder == "cmd" || strings.HasPrefix(s.path, "internal/") || s.isTest() || strings.HasSuffix(path.Dir(s.path), "test")
	if _, listed := clockFiles[s.path]; free || listed {
		return nil
	}
	return s.uses("Now", "Since", "Until")
}

// sleeps returns where a file sleeps and must not.
func sleeps(s source) []string {
	bubble := s.isTest() && slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
	_, listed := sleepFiles[s.path]
	_, folder := sleepFiles[path.Dir(s.path)+"/"]
	if listed || bubble || folder && s.isTest() {
		return nil
	}
	return s.uses("Sleep")
}

// skips returns where a test is skipped by a function that does not look at REQUIRE_SERVICES first.
func skips(s source) []string {
	var found []string
	for _, decl := range s.file.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		text := s.text[s.files.Position(function.Pos()).Offset:s.files.Position(function.End()).Offset]
		if bytes.Contains(text, []byte("REQUIRE_SERVICES")) {
			continue
		}
		ast.Inspect(function, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if selector, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name) {
				found = append(found, s.at(n))
			}
			return true
		})
	}
	return found
}

func TestSources(t *testing.T) {
	all := sources(t)
	if len(all) < 20 {
		t.Fatalf("only %d files found: nothing would be checked", len(all))
	}
	for _, s := range all {
		for _, at := range readsClock(s) {
			t.Errorf("%s reads the clock: take now func() time.Time, so that time can be played in a test", at)
		}
		for _, at := range sleeps(s) {
			t.Errorf("%s sleeps: wait for what must happen, with a limit", at)
		}
		for _, at := range skips(s) {
			t.Errorf("%s skips a test without asking REQUIRE_SERVICES: a hole would not be seen", at)
		}
		if lines := bytes.Count(s.text, []byte("\n")); lines > maxLines && !s.isTest() {
			t.Errorf("%s has %d lines, more than %d: it has more than one subject", s.path, lines, maxLines)
		}
		if slices.Contains(badNames, s.file.Name.Name) {
			t.Errorf("%s: the package name %q says nothing about what is inside", s.path, s.file.Name.Name)
		}
	}
}

// TestExceptionsAreNeeded keeps the tables short: a file that no longer needs its exception loses it.
func TestExceptionsAreNeeded(t *testing.T) {
	byPath := map[string]source{}
	for _, s := range sources(t) {
		byPath[s.path] = s
	}
	for file, reason := range clockFiles {
		if s, exists := byPath[file]; reason == "" || exists && len(s.uses("Now", "Since", "Until")) == 0 {
			t.Errorf("clockFiles: %s needs no exception", file)
		}
	}
	for file, reason := range sleepFiles {
		if strings.HasSuffix(file, "/") {
			continue
		}
		if s, exists := byPath[file]; reason == "" || exists && len(s.uses("Sleep")) == 0 {
			t.Errorf("sleepFiles: %s needs no exception", file)
		}
	}
}

// docs counts the package comments of each folder's package.
func docs(all []source) map[string]int {
	count, code := map[string]int{}, map[string]bool{}
	for _, s := range all {
		code[path.Dir(s.path)] = code[path.Dir(s.path)] || !s.isTest()
	}
	for _, s := range all {
		folder := path.Dir(s.path)
		if s.isTest() && (code[folder] || strings.HasSuffix(s.file.Name.Name, "_test")) {
			continue
		}
		count[folder] += 0
		if s.file.Doc != nil {
			count[folder]++
		}
	}
	return count
}

func TestEachPackageHasOneDocComment(t *testing.T) {
	count := docs(sources(t))
	for _, folder := range slices.Sorted(maps.Keys(count)) {
		if count[folder] != 1 {
			t.Errorf("%s has %d package comments, must have 1", folder, count[folder])
		}
	}
}

// TestSourceRulesBite plays the rules against files that they must refuse or let pass.
func TestSourceRulesBite(t *testing.T) {
	for _, test := range []struct {
		path, body         string
		clock, sleep, skip int
	}{
		{"pkg/x/a.go", "import \"time\"\nvar now = time.Now", 1, 0, 0},
		{"pkg/x/a.go", "import clock \"time\"\nfunc f() { clock.Sleep(clock.Until(clock.Time{})) }", 1, 1, 0},
		{"pkg/x/a.go", "import \"time\"\nvar x = time.Second; type y struct{}; func (y) Now() {}; func f() { y{}.Now() }", 0, 0, 0},
		{"pkg/x/a_test.go", "import \"time\"\nfunc f() { time.Sleep(1); time.Now() }", 0, 1, 0},
		{"pkg/x/a_test.go", "import (\"time\"; \"testing/synctest\")\nvar run = synctest.Test\nfunc f() { time.Sleep(1) }", 0, 0, 0},
		{"pkg/xtest/a.go", "import \"time\"\nvar now = time.Now", 0, 0, 0},
		{"cmd/x/a.go", "import \"time\"\nvar now = time.Now\nfunc f() { time.Sleep(1) }", 0, 1, 0},
		{"pkg/x/a_test.go", "import \"testing\"\nfunc f(t *testing.T) { t.Skip() }", 0, 0, 1},
		{"pkg/x/a_test.go", "import (\"os\"; \"testing\")\nfunc f(t *testing.T) { if os.Getenv(\"REQUIRE_SERVICES\") == \"\" { t.Skipf(\"\") } }\nfunc g(t *testing.T) { t.SkipNow() }", 0, 0, 1},
	} {
		s, err := parse(test.path, []byte("package x\n"+test.body))
		if err != nil {
			t.Fatal(err)
		}
		if len(readsClock(s)) != test.clock || len(sleeps(s)) != test.sleep || len(skips(s)) != test.skip {
			t.Errorf("%s\n%s\nclock %v, sleep %v, skip %v", test.path, test.body, readsClock(s), sleeps(s), skips(s))
		}
	}
	var all []source
	for name, text := range map[string]string{
		"pkg/a/a.go": "// Package a.\npackage a", "pkg/a/b.go": "// Package a again.\npackage a", "pkg/a/a_test.go": "// Not counted.\npackage a",
		"pkg/b/b.go": "package b", "pkg/c/c_test.go": "// Package c.\npackage c",
	} {
		s, err := parse(name, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if got := docs(all); got["pkg/a"] != 2 || got["pkg/b"] != 0 || got["pkg/c"] != 1 || len(got) != 3 {
		t.Errorf("got %v", got)
	}
}
