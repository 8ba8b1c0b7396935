package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// module writes a module with one fuzz target whose body is given.
func module(t *testing.T, body string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module tiny\n\ngo 1.26\n",
		"a_test.go": "package tiny\n\nimport \"testing\"\n\nfunc FuzzTiny(f *testing.F) {\n\tf.Add(1)\n\tf.Fuzz(func(t *testing.T, n int) {\n" + body + "\n\t})\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestAFindingFailsAndSaysHowToRepeatIt(t *testing.T) {
	var out strings.Builder
	dir := module(t, "\t\tif n != 1 {\n\t\t\tt.Error(\"found\")\n\t\t}")
	err := run(t.Context(), dir, 20*time.Second, 1, &out)
	if err == nil || !strings.Contains(err.Error(), "FuzzTiny") || !strings.Contains(err.Error(), "repeat it: cd . && go test") {
		t.Errorf("got %v, %s", err, out.String())
	}
	if kept, err := os.ReadDir(filepath.Join(dir, "testdata", "fuzz", "FuzzTiny")); err != nil || len(kept) == 0 {
		t.Errorf("the input is not kept: %v", err)
	}
}

func TestATargetWithoutAFindingPasses(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), module(t, ""), time.Second, 1, &out); err != nil || !strings.Contains(out.String(), "FuzzTiny") {
		t.Errorf("got %v, %s", err, out.String())
	}
	if !strings.Contains(out.String(), "of 1 targets, 1 passed") || strings.Contains(out.String(), "\n0 ") {
		t.Errorf("it is not said how often it was run: %s", out.String())
	}
}

func TestExecutions(t *testing.T) {
	for text, want := range map[string]int{"": 0, "PASS\n": 0, "fuzz: elapsed: 0s, execs: 0 (0/sec)\nfuzz: elapsed: 3s, execs: 22660 (22114/sec), new interesting: 0\nPASS\n": 22660} {
		if got := executions(text); got != want {
			t.Errorf("%d for %q", got, text)
		}
	}
}

func TestNoTargetIsAnError(t *testing.T) {
	if err := run(t.Context(), t.TempDir(), time.Second, 1, &strings.Builder{}); err == nil {
		t.Error("nothing was run and nothing was said")
	}
}

// What Go's fuzzer printed when its time ended in the middle of an input, and findings that look alike.
func TestOnlyTheEndOfTheTimeIsNoFinding(t *testing.T) {
	const late = "fuzz: elapsed: 1s, execs: 22660 (22114/sec), new interesting: 0 (total: 1)\n--- FAIL: FuzzTiny (1.03s)\n    context deadline exceeded\nFAIL\n"
	for text, want := range map[string]bool{
		late: true,
		strings.Replace(late, "FAIL\n", "\n    Failing input written to testdata/fuzz/FuzzTiny/1\nFAIL\n", 1):                               false,
		strings.Replace(late, "context deadline exceeded", "--- FAIL: FuzzTiny (0.00s)\n        a_test.go:7: context deadline exceeded", 1): false,
		"fuzz: minimizing 43-byte failing input file\n" + late:                                                                              false,
		strings.Replace(late, "    context", "    a_test.go:7: found\n    context", 1):                                                      false,
		"PASS\n": false,
	} {
		if got := endedByTheClock(text); got != want {
			t.Errorf("%t for:\n%s", got, text)
		}
	}
}
