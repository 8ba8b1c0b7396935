package testenv

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BuildTypeScriptClient copies clients/typescript, and what its build reads, from the repository at root to the same places below top,
// installs exactly the packages of its lock file, and compiles it. It returns the client's folder. See [NPM].
func BuildTypeScriptClient(t testing.TB, root, top string) (dir string) {
	t.Helper()
	dir = filepath.Join(top, "clients", "typescript")
	for _, folder := range []string{"clients/typescript/src", "clients/typescript/test", "docs/contracts", "pkg/events/schemas"} {
		Must(t, os.CopyFS(filepath.Join(top, folder), os.DirFS(filepath.Join(root, folder))))
	}
	for _, name := range []string{"package.json", "package-lock.json", "tsconfig.json"} {
		text, err := os.ReadFile(filepath.Join(root, "clients/typescript", name))
		Must(t, err)
		Must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	NPM(t, dir, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	NPM(t, dir, "run", "build")
	return dir
}

// NPM runs npm in a folder. npm is 357 packages in Debian: WITHOUT_NODE=1 says that a test that needs it is to be left out, and without
// REQUIRE_SERVICES it is left out where npm is missing or cannot install.
func NPM(t testing.TB, dir string, args ...string) {
	t.Helper()
	if os.Getenv("WITHOUT_NODE") == "1" {
		t.Skip("left out, because the environment has WITHOUT_NODE=1")
	}
	missing := t.Fatalf
	if os.Getenv("REQUIRE_SERVICES") == "" {
		missing = t.Skipf
	}
	if _, err := exec.LookPath("npm"); err != nil {
		missing("npm is not installed: apt-get install npm, or leave it out with WITHOUT_NODE=1")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "npm", args...)
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		missing("npm %s: %v\n%s", args[0], err, out)
	}
}
