// Package axe gives tests axe-core, which checks a page for what keeps people with disabilities from using it.
package axe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Run is JavaScript that checks the page after [Script] and returns a promise of one line for each element with a fault. Contrast does
// so for the contrast of colours alone.
const (
	Run      = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})` + lines
	Contrast = `axe.run(document, {runOnly: {type: "rule", values: ["color-contrast"]}})` + lines

	lines = `.then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ": " + v.help + ": " + n.html.slice(0, 200) + " " + (n.failureSummary || "").replaceAll("\n", " ").slice(0, 300))))`
)

// Script returns axe-core. The package is installed by npm, as package-lock.json names it, where it isn't yet. Without npm the test
// is skipped; where services are required it fails, unless WITHOUT_NODE=1 says that Node.js is left out.
func Script(t *testing.T) string {
	t.Helper()
	script, err := load()
	switch {
	case err == nil:
		return script
	case os.Getenv("REQUIRE_SERVICES") == "1" && os.Getenv("WITHOUT_NODE") != "1":
		t.Fatal("axe-core is not there: ", err)
	default:
		t.Skip("axe-core is not there: ", err)
	}
	return ""
}

var load = sync.OnceValues(func() (string, error) {
	module, err := exec.Command("go", "env", "GOMOD").Output() // built with -trimpath, a program does not know where its source is
	if err != nil {
		return "", err
	}
	folder := filepath.Join(filepath.Dir(strings.TrimSpace(string(module))), "test", "axe", "_package")
	file := filepath.Join(folder, "node_modules", "axe-core", "axe.min.js")
	if _, err := os.Stat(file); err != nil {
		install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-timeout=60000", "--fetch-retries=1")
		install.Dir = folder
		if out, err := install.CombinedOutput(); err != nil {
			return "", &installError{err, string(out)}
		}
	}
	script, err := os.ReadFile(file)
	return string(script), err
})

type installError struct {
	err    error
	output string
}

func (e *installError) Error() string { return "npm ci: " + e.err.Error() + "\n" + e.output }
func (e *installError) Unwrap() error { return e.err }
