package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/test/redistest"
)

// timeout bounds the whole test, building included.
const timeout = 8 * time.Minute

// TestBench is make bench with few payments: that all programs still do the work. It says nothing about
// speed.
func TestBench(t *testing.T) {
	redistest.Require(t)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	page := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(page, []byte("before\n"+tableBegins+"old\n"+tableEnds+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := run(ctx, []string{
		"--payments", "100", "--paced", "20", "--rounds", "1", "--sync", "always", "--workers", "2", "--store", t.TempDir(), "--write", page,
	}, &out)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", out.String())
	for _, program := range all {
		if strings.Count(out.String(), "| sync always, workers 2 | "+program.name+" |") != 1 {
			t.Errorf("the table has no line of %s", program.name)
		}
	}
	written, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if want := "before\n" + tableBegins + "\n" + out.String() + "\n" + tableEnds + "after\n"; string(written) != want {
		t.Errorf("the page is\n%s", written)
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{
		{"--sync", "never"}, {"--workers", "0"}, {"--workers", "x"}, {"--programs", "asynq"}, {"--payments", "9"}, {"--rounds", "0"}, {"--unknown"},
	} {
		if err := run(t.Context(), args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q were taken", args)
		}
	}
}

func TestReport(t *testing.T) {
	s := setting{workers: 1}
	p := plan{slots: 1, payments: 10, rounds: 3, store: t.TempDir(), settings: []setting{s}, programs: all[:2]}
	var results []result
	for i, rate := range []float64{100, 300, 200} {
		results = append(results, result{program: "bare", setting: s, perSecond: 2 * rate, p50: time.Duration(i+1) * time.Millisecond},
			result{program: "payonce", setting: s, perSecond: rate * float64(i+1) / 2})
	}
	text, err := p.report(results)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| sync default, workers 1 | bare | 400 | 0.50 (0.25–0.75) | 2.0 ms |", "| sync default, workers 1 | payonce | 300 |  | 0.0 ms |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if err := replaceTable(filepath.Join(p.store, "none.md"), text); err == nil {
		t.Error("a page that is not there was written")
	}
	for name, page := range map[string]string{"nothing": "text", "begin": tableBegins, "end": tableEnds} {
		path := filepath.Join(p.store, name)
		if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := replaceTable(path, text); err == nil {
			t.Errorf("a page with only %s was written", name)
		}
	}
}
