package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/payment"
)

// The demo starts itself again for its workers; under test, that is this test program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == workerArgument {
		os.Exit(app.Main(app.Worker(), os.Args[2:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

func TestStory(t *testing.T) {
	var out, problems bytes.Buffer
	code := run(t.Context(), nil, &out, &problems)
	t.Logf("%s", out.String())
	if code != app.ExitOK {
		t.Fatalf("exit code %d: %s", code, problems.String())
	}
	for _, line := range []string{"charged more than once: 0\n", "lost: 0\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("%q is not told", line)
		}
	}
}

func TestUsage(t *testing.T) {
	var out, problems bytes.Buffer
	if code := run(t.Context(), []string{"--help"}, &out, &problems); code != app.ExitOK || !strings.Contains(problems.String(), "-keep") {
		t.Errorf("--help: code %d, %s", code, problems.String())
	}
	if code := run(t.Context(), []string{"--nonsense"}, &out, &problems); code != app.ExitUsage {
		t.Errorf("a wrong flag: code %d", code)
	}
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The commands of README are true: each make target exists, and the curl commands get a payment that
// the customer can act on.
func TestReadmeCommands(t *testing.T) {
	readme := read(t, "../../README.md")
	makefile := read(t, "../../Makefile")
	s, err := startStack(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	curls := 0
	for _, block := range shellBlock.FindAllStringSubmatch(readme, -1) {
		if target, found := strings.CutPrefix(strings.TrimSpace(block[1]), "make "); found {
			if !strings.Contains(makefile, "\n"+target+": ") {
				t.Errorf("make %s: there is no such target", target)
			}
			continue
		}
		if strings.HasPrefix(block[1], "docker-compose ") { // really run by make compose-test
			checkCompose(t, block[1])
			continue
		}
		curls++
		checkPayment(t, shell(t, s, strings.ReplaceAll(block[1], "http://127.0.0.1:8080", s.ingress)))
	}
	if curls == 0 {
		t.Error("README shows no command that was run")
	}
}

// checkCompose sees that the services that README runs are there.
func checkCompose(t *testing.T, script string) {
	t.Helper()
	files := read(t, "../../docker-compose.yml") + read(t, "../../docker-compose.override.yml")
	for line := range strings.Lines(strings.TrimSpace(script)) {
		service, run := strings.CutPrefix(strings.TrimSpace(line), "docker-compose run --rm ")
		if !run || !strings.Contains(files, "\n  "+service+":\n") {
			t.Errorf("%s: there is no such service", strings.TrimSpace(line))
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shell runs a block of README as a reader would, in a shell.
func shell(t *testing.T, s *stack, script string) []byte {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("REQUIRE_SERVICES") != "" {
			t.Fatal("curl is not installed")
		}
		t.Skip("curl is not installed: apt-get install curl")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", script)
	cmd.Env = append(os.Environ(), "PAYONCE_API_KEY="+s.apiKey)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, script, out)
	}
	return out
}

// checkPayment reads the last JSON document that a block printed.
func checkPayment(t *testing.T, out []byte) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(out))
	var last payment.Payment
	for dec.More() {
		last = payment.Payment{}
		if err := dec.Decode(&last); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if last.Status != payment.Pending || last.Action == nil {
		t.Errorf("the customer has nothing to act on: %s", out)
	}
}

// What --keep prints works when it is pasted.
func TestKeepPrintsCommandsThatWork(t *testing.T) {
	s, err := startStack(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := keepUp(ctx, s, &out); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	script := regexp.MustCompile(`(?m)^  curl ([^\\\n]|\\\n)*$`).FindAllString(out.String(), -1)
	if len(script) != 7 {
		t.Fatalf("%d commands are printed: %q", len(script), script)
	}
	for _, command := range script {
		if answer := shell(t, s, command); !json.Valid(answer) {
			t.Errorf("%s\nanswered %s", command, answer)
		}
	}
	t.Logf("%d commands took %s", len(script), time.Since(began))
}
