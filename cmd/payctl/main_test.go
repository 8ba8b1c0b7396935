package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The program as operators have it: built and stamped as for a release, with its exit codes and its signals.
func TestProgram(t *testing.T) {
	program := filepath.Join(t.TempDir(), "payctl")
	const stamp = "-s -w -X payonce/internal/app.release=v1.2.3 -X payonce/internal/app.commit=0123abcd -X payonce/internal/app.date=2026-11-30T09:00:00Z"
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags", stamp, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const body = `{"payment":{"id":"000049","status":"success"}}`
	const signature = "/3TrhHVz9BHaLfgLyhoxO7dsQNzbzZa/TdO3pxQocXWwgVM6tGlzMLVfpOxFNTnkR9iiFVK/77ZedMcbkCjmng=="
	for _, c := range []struct {
		args []string
		code int
		out  string
	}{
		{[]string{"sign", "ecommpay", "--secret", "env:KEY"}, 0, signature + "\n"},
		{[]string{"verify", "ecommpay", "--secret", "env:KEY", "--signature", signature}, 0, "valid\n"},
		{[]string{"verify", "ecommpay", "--secret", "env:KEY", "--signature", "x"}, 1, ""},
		{[]string{"verify", "ecommpay"}, 2, ""},
		{[]string{"version"}, 0, "payctl v1.2.3 0123abcd 2026-11-30T09:00:00Z\n"},
		{[]string{"--version"}, 0, "payctl v1.2.3 0123abcd 2026-11-30T09:00:00Z\n"},
		{[]string{"payment", "show", "a", "b", "--config", "none.yaml"}, 2, ""},
	} {
		run := exec.CommandContext(t.Context(), program, c.args...)
		run.Stdin = strings.NewReader(body)
		run.Env = append(os.Environ(), "KEY=secret")
		out, _ := run.Output()
		if run.ProcessState.ExitCode() != c.code || string(out) != c.out {
			t.Errorf("%v: exit %d, %s", c.args, run.ProcessState.ExitCode(), out)
		}
	}
	t.Run("interrupted", func(t *testing.T) { interrupted(t, program) })
}

// interrupted sends Ctrl-C to a program that waits for its input.
func interrupted(t *testing.T, program string) {
	run := exec.CommandContext(t.Context(), program, "sign", "ecommpay", "--secret", "literal")
	input, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = input.Close() }()
	stderr, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewReader(stderr)
	if line, err := said.ReadString('\n'); err != nil || !strings.Contains(line, "warning") {
		t.Fatalf("%q %v", line, err)
	}
	if err := run.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(said)
	if err != nil || !bytes.Contains(rest, []byte("interrupted")) {
		t.Errorf("%q %v", rest, err)
	}
	if err := run.Wait(); err == nil || run.ProcessState.ExitCode() != 1 {
		t.Errorf("%v", run.ProcessState)
	}
}
