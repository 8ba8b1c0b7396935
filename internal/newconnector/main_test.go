package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// copied are the files of the module that a connector needs.
var copied = []string{
	"go.mod", "go.sum", "pkg/calendar/*.go", "pkg/connectors/*.go", "pkg/connectors/check/*.go", "pkg/connectors/httpcall/*.go", "pkg/connectors/connectortest/*.go",
	"pkg/payment/*.go", "pkg/secret/*.go", "test/race/*.go",
}

// module copies what a connector needs into a folder of its own.
func module(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, pattern := range copied {
		files, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			target := filepath.Join(root, filepath.Dir(pattern), filepath.Base(file))
			if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(target, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// TestLayout makes a connector in a copy of the module: it must pass go vet, and its test must fail with
// what is to be written.
func TestLayout(t *testing.T) {
	root := module(t)
	var out bytes.Buffer
	if err := run([]string{"-name", "laidout", "-in", filepath.Join(root, "pkg/connectors")}, &out); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(root, "conformance.test")
	for _, args := range [][]string{{"vet"}, {"test", "-c", "-o", binary}} {
		command := exec.Command("go", append(args, "./pkg/connectors/laidout")...)
		command.Dir = root
		if text, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", args[0], err, text)
		}
	}
	command := exec.Command(binary)
	command.Dir = root
	text, err := command.CombinedOutput()
	if err == nil {
		t.Error("a connector that is not written passes")
	}
	for _, want := range []string{"the harness is not complete", "Command must be", "Submit.Verify must", "Webhooks.Make, Statuses"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "panic") {
		t.Errorf("it panics:\n%s", text)
	}
}

func TestRefused(t *testing.T) {
	folder := t.TempDir()
	if err := run([]string{"-name", "acme", "-in", folder}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{}, {"-name", "Acme"}, {"-name", "a/b"}, {"-name", ".."}, {"-name", "func"}, {"-name", "payment"}, {"-name", "check"}, {"-name", "acmetest"}, {"-name", "x"},
		{"-name", "acme", "-in", folder}, {"-name", "other", "-in", filepath.Join(folder, "missing")}, {"-no-such-flag"},
	} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}
