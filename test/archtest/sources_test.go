package archtest

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

// clockFiles may read the clock besides cmd, internal and packages for tests.
var clockFiles = map[string]string{
	"pkg/ingress/deadlines.go":              "deadlines of a network connection are in real time",
	"pkg/events/jetstream/connect.go":       "the deadline of a context is in real time",
	"pkg/connectors/httpcall/wire_linux.go": "the deadline of a context is in real time",
}

var (
	aComment = regexp.MustCompile(`(?m)(^|\s)//.*$`)
	aClock   = regexp.MustCompile(`(?m)\btime\.(Now|Since|Until)\b|^(import +|\t)\w+ "time"$`)
	aSkip    = regexp.MustCompile(`\.(Skip|Skipf|SkipNow)\(`)
)

// unfit returns what in a Go file no linter finds and can cost money: time that no test can play, so that opening hours,
// delays and doubt are not proven; and a test that is left out without a word, so that nothing is.
func unfit(file, text string) (found []string) {
	text = aComment.ReplaceAllString(text, "")
	isTest := strings.HasSuffix(file, "_test.go")
	if clockFiles[file] == "" && strings.HasPrefix(file, "pkg/") && !isTest && !strings.HasSuffix(path.Dir(file), "test") && aClock.MatchString(text) {
		found = append(found, "reads the clock: take now func() time.Time, so that time can be played in a test")
	}
	for function := range strings.SplitSeq(text, "\nfunc ") {
		if aSkip.MatchString(function) && !strings.Contains(function, "REQUIRE_SERVICES") {
			found = append(found, "skips a test without asking REQUIRE_SERVICES: a hole would not be seen")
		}
	}
	return found
}

func TestSources(t *testing.T) {
	var seen []string
	for _, top := range []string{"cmd", "pkg", "internal", "test", "examples"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.Contains(name, "archtest") {
				return err
			}
			text, err := os.ReadFile(name)
			file, _ := filepath.Rel(root, name)
			seen = append(seen, file)
			for _, problem := range unfit(file, string(text)) {
				t.Errorf("%s %s", file, problem)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for file := range clockFiles {
		if !slices.Contains(seen, file) {
			t.Errorf("clockFiles: there is no %s", file)
		}
	}
}

func TestSourceRulesBite(t *testing.T) {
	for _, test := range []struct {
		file, text string
		want       int
	}{
		{"pkg/x/a.go", "import \"time\"\nvar now = time.Now", 1},
		{"pkg/x/a.go", "import clock \"time\"\n", 1},
		{"pkg/x/a.go", "import \"time\"\nvar x = time.Second // not time.Now", 0},
		{"pkg/x/a_test.go", "func f() { time.Now() }", 0},
		{"pkg/xtest/a.go", "var now = time.Now", 0},
		{"cmd/x/a.go", "var now = time.Now", 0},
		{"pkg/x/a_test.go", "\nfunc f(t *testing.T) { if os.Getenv(\"REQUIRE_SERVICES\") == \"\" { t.Skipf(\"\") } }\nfunc g(t *testing.T) { t.SkipNow() }", 1},
	} {
		if found := unfit(test.file, test.text); len(found) != test.want {
			t.Errorf("%s\n%s\nfinds %q", test.file, test.text, found)
		}
	}
}
