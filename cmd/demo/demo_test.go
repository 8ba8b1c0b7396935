package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
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

func TestScenario(t *testing.T) {
	var out, problems bytes.Buffer
	code := run(t.Context(), nil, &out, &problems)
	t.Logf("%s", out.String())
	if code != app.ExitOK {
		t.Fatalf("exit code %d: %s", code, problems.String())
	}
	transcript := transcriptOf(t, read(t, "../../README.md"))
	if wrong := firstWrong(transcript, out.String()); wrong != "" || len(transcript) < 40 {
		t.Errorf("README shows %d lines, and the scenario did not print %q there", len(transcript), wrong)
	}
	for _, line := range []string{"charged more than once: 0\n", "lost: 0\n", "A search in the archive finds all "} {
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

// The curl commands of README get a payment that the customer can act on. All other commands are checked by
// test/docstest, and those of Compose are run by make compose-test.
func TestReadmeCommands(t *testing.T) {
	s := startStack(t, "")
	curls := 0
	for _, block := range shellBlock.FindAllStringSubmatch(read(t, "../../README.md"), -1) {
		if strings.HasPrefix(block[1], "curl ") {
			curls++
			checkPayment(t, shell(t, s, strings.ReplaceAll(block[1], "http://127.0.0.1:8080", s.ingress)))
		}
	}
	if curls == 0 {
		t.Error("README shows no command that was run")
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
	cmd.Env = append(os.Environ(), "PAYONCE_API_KEY="+s.APIKey)
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
	s := startStack(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	keepUp(ctx, s, &out)
	began := time.Now()
	script := regexp.MustCompile(`(?m)^  curl ([^\\\n]|\\\n)*$`).FindAllString(out.String(), -1)
	if len(script) != 8 {
		t.Fatalf("%d commands are printed: %q", len(script), script)
	}
	for _, command := range script {
		if answer := shell(t, s, command); !json.Valid(answer) {
			t.Errorf("%s\nanswered %s", command, answer)
		}
	}
	t.Logf("%d commands took %s", len(script), time.Since(began))
	printedLedger(t, out.String())
}

// printedLedger runs the ledger as --keep says, until it has booked the payment that the lines before paid.
func printedLedger(t *testing.T, printed string) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^  go run (\./examples/ledger .*)$`).FindStringSubmatch(printed)
	if line == nil {
		t.Fatal("no ledger is printed")
	}
	args, program := strings.Fields(line[1]), filepath.Join(t.TempDir(), "ledger")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../examples/ledger").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args[1:]...)
	cmd.Dir = t.TempDir()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	booked := ""
	for lines := bufio.NewScanner(out); lines.Scan() && booked == ""; {
		if strings.Contains(lines.Text(), "D-1") {
			booked = lines.Text()
			cancel()
		}
	}
	_ = cmd.Wait() // it was stopped
	if booked == "" {
		t.Errorf("%s booked nothing", line[1])
	}
}
