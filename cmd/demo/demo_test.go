package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/sandbox"
	"payonce/test/testenv"
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
	scenario, table, found := strings.Cut(out.String(), "\nAll payments from the log")
	if !found {
		t.Fatal("there is no table")
	}
	readable(t, scenario, scenarioWidth)
	readable(t, table, tableWidth)
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
	for _, args := range [][]string{{"--nonsense"}, {"--state", t.TempDir()}} {
		if code := run(t.Context(), args, &out, &problems); code != app.ExitUsage {
			t.Errorf("%v: code %d", args, code)
		}
	}
}

// Where the ingress's address is taken, nothing is started, and it says what to do.
func TestAnAddressThatIsTaken(t *testing.T) {
	other, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is started all the same ends at once
	var out, problems bytes.Buffer
	code := run(ctx, []string{"--keep", "--listen", other.Addr().String()}, &out, &problems)
	if code != app.ExitFailed || !strings.Contains(problems.String(), "already in use") || !strings.Contains(problems.String(), "make run LISTEN=") || out.Len() > 0 {
		t.Errorf("code %d: %s%s", code, out.String(), problems.String())
	}
}

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The curl commands of README get a payment that the customer can act on. All other commands are checked by
// test/docstest, and those of Compose are run by make compose-test.
func TestReadmeCommands(t *testing.T) {
	s := startStack(t, "", "")
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

// What --keep prints fits a terminal, and works when it is pasted.
func TestKeepPrintsCommandsThatWork(t *testing.T) {
	s := startStack(t, "", "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	keepUp(ctx, s, &out)
	readable(t, out.String(), scenarioWidth)
	began, program := time.Now(), testenv.Build(t, "payonce/cmd/payctl")
	t.Cleanup(testenv.RemoveBuilds)
	commands := map[string]int{}
	for _, command := range printedCommand.FindAllString(out.String(), -1) {
		name := strings.Fields(command)[0]
		commands[name]++
		switch {
		case name == "curl":
			if answer := shell(t, s, command); !json.Valid(answer) {
				t.Errorf("%s\nanswered %s", command, answer)
			}
		case name == "export":
			if !strings.HasSuffix(command, "="+s.APIKey+"\n") {
				t.Errorf("%s is not the key", command)
			}
		case strings.Contains(command, "./cmd/payctl"):
			commands["payctl"]++
			answer := string(shell(t, s, strings.Replace(command, payctl, program, 1)))
			readable(t, answer, 0)
			if strings.Contains(command, "console link") {
				linkSignsIn(t, s, answer, program)
			}
		}
	}
	if commands["curl"] != 8 || commands["export"] != 1 || commands["payctl"] != 4 || commands["go"] != 5 {
		t.Fatalf("printed: %v\n%s", commands, out.String())
	}
	t.Logf("%v took %s", commands, time.Since(began))
	for _, at := range s.metrics {
		if status, text := s.Get(t.Context(), at.url); status != http.StatusOK || !strings.Contains(text, "payonce_build_info") || !strings.Contains(out.String(), at.url) {
			t.Errorf("metrics of %s at %s: %d, printed: %t", at.process, at.url, status, strings.Contains(out.String(), at.url))
		}
	}
	if len(s.metrics) != 5 {
		t.Errorf("metrics: %v", s.metrics)
	}
	printedLedger(t, out.String())
	payctlIsReadable(t, s, program)
}

// linkSignsIn uses a link up. Its page then shows the command for another one, which works as it stands there.
func linkSignsIn(t *testing.T, s *stack, answer, program string) {
	t.Helper()
	link, err := url.Parse(strings.TrimSpace(answer))
	s.Must(err)
	jar, err := cookiejar.New(nil)
	s.Must(err)
	browser := &http.Client{Jar: jar, Timeout: time.Minute}
	token := url.Values{"token": {link.Query().Get("token")}}
	form := "http://" + link.Host + link.Path
	if at, _, _ := page(t)(browser.PostForm(form, token)); at != "/" {
		t.Errorf("the link %s leads to %s", answer, at)
	}
	command := payctl + " console link --config " + s.Config
	for _, open := range []func() (*http.Response, error){
		func() (*http.Response, error) { return browser.Get(link.String()) },
		func() (*http.Response, error) { return browser.PostForm(form, token) },
	} {
		if _, status, text := page(t)(open()); status != http.StatusUnauthorized || !strings.Contains(text, ">"+command+"</pre>") {
			t.Errorf("%d, and %q is not on the page of a spent link: %s", status, command, text)
		}
	}
	if _, status, text := page(t)(browser.Get("http://" + link.Host + "/actions/release?all=parked")); status != http.StatusOK {
		t.Errorf("%d, and who signed in cannot release parked payments: %s", status, text)
	}
	if again := shell(t, s, strings.Replace(command, payctl, program, 1)); !strings.Contains(string(again), link.Path+"?token=") || string(again) == answer {
		t.Errorf("%s printed %s", command, again)
	}
}

// page reads an answer: the path that it is of, its status and its text.
func page(t *testing.T) func(*http.Response, error) (path string, status int, text string) {
	return func(reply *http.Response, err error) (string, int, string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = reply.Body.Close() }()
		body, err := io.ReadAll(reply.Body)
		if err != nil {
			t.Fatal(err)
		}
		return reply.Request.URL.Path, reply.StatusCode, string(body)
	}
}

// printedCommand is a line that can be pasted, with the deeper lines below it.
var printedCommand = regexp.MustCompile(`(?m)^  (?:curl|export|go run) .*\n(?: {4,}.*\n)*`)

// payctlIsReadable looks at what payctl shows of payments of every kind.
func payctlIsReadable(t *testing.T, s *stack, program string) {
	t.Helper()
	if status, text := s.Post(t.Context(), "/v1/deposits", testenv.Variant{Account: testenv.ECommPay, Method: "gate", Operation: payment.Deposit, Amount: payment.KRW(10_000)}.
		Command(payment.Ref{Provider: testenv.ECommPay, Order: "D-x-clarification-9"})); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, text)
	}
	asked := payment.Ref{Provider: testenv.ECommPay, Order: "D-x-clarification-9"}
	if p, err := s.get(t.Context(), asked); err != nil || p.Action == nil || p.Action.Clarification == nil {
		t.Fatalf("nothing is asked: %+v, %v", p, err)
	}
	s.Must(s.publish(t.Context(), events.ShortSubject(payment.Deposit), "not even JSON"))
	s.Must(s.publish(t.Context(), events.ShortSubject(payment.Payout), payout("P-9", "10.5")))
	testenv.Await(t.Context(), t, "two dead letters", func() bool {
		all, err := s.Log.DeadLetters(t.Context(), 0, 10)
		return err == nil && len(all) == 2
	})
	for _, command := range []string{
		"status", "status --json", "payments list", "payments list --json", "payment show " + asked.Provider + " " + asked.Order,
		"payment show " + asked.Provider + " " + asked.Order + " --json", "payment show " + provider + " P-9", "deadletters list", "deadletters show 1",
		"deadletters show 2", "parked list", "refusals list", "ledgers list", "audit list", "streams diff", "archive status", "archive verify",
		"approvals list", "endpoints list", "banks " + provider,
	} {
		cmd := exec.CommandContext(t.Context(), program, append(strings.Fields(command), "--config", s.Config)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("payctl %s: %v\n%s", command, err, out)
		}
		readable(t, "payctl "+command+"\n"+string(out), 0)
	}
}

// A system that is started again in its folder goes on with the same payments.
func TestRunGoesOnWithItsPayments(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var before *stack
	t.Run("first", func(t *testing.T) {
		s := startStack(t, dir, "")
		for path, body := range map[string]string{"/v1/deposits": deposit("D-1", "10000"), "/v1/payouts": payout("P-x-hang-1", "20000")} {
			if status, text := s.Post(t.Context(), path, body); status != http.StatusAccepted {
				t.Fatalf("%s: %d %s", path, status, text)
			}
		}
		if p, err := s.get(t.Context(), of("D-1")); err != nil || p.Status != payment.Pending {
			t.Fatalf("%s, %v", p.Status, err)
		}
		_, err := s.Sandbox.WaitFor(t.Context(), provider, "P-x-hang-1", sandbox.Acknowledged(1)) // its webhook comes before the reply
		s.Must(err)
		if err := testenv.Run(t.Context(), io.Discard, func(t testing.TB) { openState(t, dir, "") }); err == nil || !strings.Contains(err.Error(), "another system runs in this folder") {
			t.Errorf("a second system in the folder: %v", err)
		}
		before = s
	})
	if t.Failed() {
		return
	}
	s := startStack(t, dir, "")
	if s.APIKey != before.APIKey || s.At.Listen != before.At.Listen || s.At.Sandbox != before.At.Sandbox || s.Config != before.Config || s.state.Runs != 2 {
		t.Errorf("was %+v %s, is %+v %s", before.At, before.Config, s.At, s.Config)
	}
	s.Must(s.Sandbox.Pay(provider, "D-1", 0))
	for _, order := range []string{"D-1", "P-x-hang-1"} {
		s.Until(t.Context(), of(order), "settled", func(p payment.Payment) bool { return p.Status == payment.Settled })
		if o, err := s.Sandbox.Order(provider, order); err != nil || len(o.Charges) != 1 {
			t.Errorf("%s: %d charges, %v", order, len(o.Charges), err)
		}
	}
}

// printedLedger runs the ledger as --keep says, until it has booked the payment that the lines before paid.
func printedLedger(t *testing.T, printed string) {
	t.Helper()
	line := regexp.MustCompile(`(?m)^  go run (\./examples/ledger .*)$`).FindStringSubmatch(printed)
	if line == nil {
		t.Fatal("no ledger is printed")
	}
	args, program := strings.Fields(line[1]), testenv.Build(t, "payonce/examples/ledger")
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
