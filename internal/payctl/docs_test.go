package payctl_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	csvBlock   = regexp.MustCompile("(?s)```csv\n(.*?)```")
)

// The commands of docs/payctl.md, docs/operators.md and the pages for alerts do what the pages say, in a
// shell, one block after the other. Lines of other programs are left out; test/docstest checks them.
func TestDocumentedCommands(t *testing.T) {
	runbooks, err := filepath.Glob("../../docs/runbooks/*.md")
	if err != nil || len(runbooks) < 20 {
		t.Fatalf("%d pages for alerts, %v", len(runbooks), err)
	}
	for name, pages := range map[string][]string{
		"payctl": {"../../docs/payctl.md"}, "operators": {"../../docs/operators.md"}, "runbooks": runbooks,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, bad := workshop(t)
			count := 0
			for _, path := range pages {
				for _, block := range shellBlock.FindAllStringSubmatch(read(t, path), -1) {
					script := sequences.ReplaceAllString(otherPrograms.ReplaceAllString(block[1], ""), fmt.Sprintf("--sequence %d", bad))
					if strings.TrimSpace(script) == "" {
						continue
					}
					count++
					shell := exec.CommandContext(t.Context(), "sh", "-ec", script)
					shell.Dir = dir
					shell.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "DIAMONDPAY_SECRET=secret")
					if out, err := shell.CombinedOutput(); err != nil || len(out) == 0 {
						t.Errorf("%s: %v:\n%s\n%s", filepath.Base(path), err, script, out)
					}
				}
			}
			if count < 7 {
				t.Errorf("%d blocks are run", count)
			}
		})
	}
}

var (
	otherPrograms = regexp.MustCompile(`(?m)^(worker|ingress|notifier|echo) .*\n`)
	sequences     = regexp.MustCompile(`--sequence \d+`)
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// workshop is a folder with everything that the pages' commands name, payctl itself included, which is
// this test program under another name. The last event of P-5001, with the returned sequence, cannot be read.
func workshop(t *testing.T) (dir string, bad uint64) {
	t.Helper()
	conn, url := streams(t)
	live(t, conn, payment.New(command("P-1001")), submitting, pending)
	live(t, conn, payment.New(command("P-1003")), submitting, atSubmitLimit)
	parkInBroker(t, conn, command("P-1003"), time.Now().Add(time.Hour).UTC().Truncate(time.Second))
	for _, order := range []string{"P-3001", "P-3002", "P-3003"} {
		parkedPayment(t, conn, order)
	}
	for _, order := range []string{"P-4001", "P-4002"} {
		give(t, conn, command(order), queue.DeadLetter(events.DeadUnknownProvider, "provider: not configured"))
	}
	refuse(t, conn, events.RefusedWebhook{Provider: shop, Refusal: "bad_signature", ReceivedAt: time.Now()})
	parkedPayment(t, conn, "P-5001")
	bad = garbage(t, url, payment.Submitting, "P-5001")
	config := configuration(t, url, gate(t, 200, twoBanks))
	if err := os.WriteFile(config, []byte(read(t, config)+"approvals: {above: [1000000 KRW]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, order := range []string{"P-6001", "P-6002"} { // the first two records of AUDIT are requests
		large := command(order)
		large.Amount = payment.KRW(2_000_000)
		live(t, conn, payment.New(large), submitting, inDoubt)
		run(t, "", with(config, by, "payment", "resolve", shop, order, "--settled", "--yes")...).expect(t, 1, "", fmt.Sprintf("request %d ", i+1))
	}
	withEndpoint(t, config)
	answerTests(t, url)
	dir = filepath.Dir(config)
	for name, content := range map[string]string{
		"orders.txt": "P-1003\n", "secret.txt": "secret\n", "body.json": `{"payment_id":"1","list":["홍"]}`, "flat.json": `{"amount":"1000"}`,
		"callback.json":     `{"payment":{"id":"000049","status":"success"},"signature":"/3TrhHVz9BHaLfgLyhoxO7dsQNzbzZa/TdO3pxQocXWwgVM6tGlzMLVfpOxFNTnkR9iiFVK/77ZedMcbkCjmng=="}`,
		"sent.json":         `{"payment":{"id":"000049","status":"success"},"signature":"/3TrhHVz9BHaLfgLyhoxO7dsQNzbzZa/TdO3pxQocXWwgVM6tGlzMLVfpOxFNTnkR9iiFVK/77ZedMcbkCjmng=="}`,
		"notification.json": `{"payment_id":"PM1","amount":400000,"sign":"804628be9f30b9ff048a05177fc41e14"}`,
		"payouts.csv":       csvBlock.FindAllStringSubmatch(read(t, "../../docs/payctl.md"), -1)[0][1],
		"statement.csv":     csvBlock.FindAllStringSubmatch(read(t, "../../docs/payctl.md"), -1)[1][1],
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	made := run(t, "", "streams", "apply", "--update", "--by", "kim", "--reason", "as the configuration says", "--config", filepath.Join(dir, "payonce.yaml"))
	made.expect(t, payctl.ExitOK, "", "")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "payctl")); err != nil {
		t.Fatal(err)
	}
	return dir, bad
}

// The page names every command.
func TestAllCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	page := read(t, "../../docs/payctl.md")
	for _, path := range payctl.Leaves() {
		if !strings.Contains(page, path+" ") && !strings.Contains(page, "`"+path+"`") {
			t.Errorf("%s is not in docs/payctl.md", path)
		}
	}
}
