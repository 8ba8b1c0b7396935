package kubernetes

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const shipped = "../../deploy/kubernetes"

// secretFile is a line of a secretGenerator with a file that "testenv secrets" makes.
var secretFile = regexp.MustCompile(`(?m)^ +- (?:[a-z0-9.-]+=)?(secrets/\S+)$`)

// built builds a folder under deploy/kubernetes, from a copy that has made-up secrets.
func built(t *testing.T, folder string) []object {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(shipped)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, folder, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, folder, "secrets")); err != nil {
		t.Fatal(err)
	}
	for _, found := range secretFile.FindAllStringSubmatch(string(text), -1) {
		file := filepath.Join(dir, folder, found[1])
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("of a test"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	manifests, err := build(filepath.Join(dir, folder))
	if err != nil {
		t.Fatal(strings.ReplaceAll(err.Error(), dir, shipped))
	}
	return manifests
}
