package docstest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// make test fails when a package was run too little or not at all, and names it.
func TestCoverageOfMakeTest(t *testing.T) {
	for name, c := range map[string]struct{ profile, want string }{
		"enough":           {"payonce/a/x.go:1.1,2.1 9 1\npayonce/a/y.go:1.1,2.1 1 0\npayonce/b/x.go:1.1,2.1 1 1\n", ""},
		"the sum of tests": {"payonce/a/x.go:1.1,2.1 9 0\npayonce/a/x.go:1.1,2.1 9 3\npayonce/b/x.go:1.1,2.1 1 1\n", ""},
		"too little":       {"payonce/a/x.go:1.1,2.1 8 1\npayonce/a/y.go:1.1,2.1 1 0\npayonce/b/x.go:1.1,2.1 1 1\n", "run in payonce/a\n"},
		"not tested":       {"payonce/a/x.go:1.1,2.1 9 1\n", "run in payonce/b (not tested)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "coverage.out")
			if err := os.WriteFile(file, []byte("mode: atomic\n"+c.profile), 0o600); err != nil {
				t.Fatal(err)
			}
			check := exec.CommandContext(t.Context(), "make", "-s", "-C", root, "--eval", `covered: ; @awk -v covered="$(COVERED)" "$$COVERAGE" $(PROFILE)`,
				"covered", "COVERED=payonce/a,payonce/b", "PROFILE="+file)
			out, err := check.CombinedOutput()
			if (err != nil) != (c.want != "") || !strings.Contains(string(out), c.want) {
				t.Errorf("%v, want %q:\n%s", err, c.want, out)
			}
		})
	}
}
