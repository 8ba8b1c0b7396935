package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const profile = `mode: atomic
m/a/x.go:1.1,2.2 9 1
m/a/x.go:3.1,4.2 1 0
m/b/c/y.go:1.1,2.2 3 0
m/b/c/y.go:1.1,2.2 3 7
m/b/y.go:1.1,2.2 1 0
m/s/stest/s.go:1.1,2.2 1 0
`

func TestRun(t *testing.T) {
	file := filepath.Join(t.TempDir(), "coverage.out")
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want string // in the error; empty for none
	}{
		"met":           {[]string{"-min", "90", "-of", "m/a,m/b/c,m/s/...", file}, ""},
		"not met":       {[]string{"-min", "91", "-of", "m/a,m/b/c", file}, "91% of statements were run in m/a"},
		"below":         {[]string{"-min", "90", "-of", "m/b/...", file}, "run in m/b"},
		"nothing below": {[]string{"-of", "m/z/...", file}, ""},
		"not tested":    {[]string{"-of", "m/z", file}, "m/z (not tested)"},
		"nobody must":   {[]string{file}, ""},
		"no file":       {nil, "want one coverage profile"},
		"missing file":  {[]string{file + "x"}, "no such file"},
		"unknown flag":  {[]string{"-x"}, "not defined"},
		"not a profile": {[]string{"main.go"}, "not a line of a coverage profile"},
	} {
		var out strings.Builder
		err := run(test.args, &out)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v", name, err)
		}
		if name == "met" && out.String() != "  90.0%  >=90  m/a\n   0.0%        m/b\n 100.0%  >=90  m/b/c\n   0.0%        m/s/stest\n" {
			t.Errorf("got\n%s", out.String())
		}
	}
}
