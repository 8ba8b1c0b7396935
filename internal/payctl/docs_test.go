package payctl_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"payonce/internal/natstest"
	"payonce/internal/payctl"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
)

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	csvBlock   = regexp.MustCompile("(?s)```csv\n(.*?)```")
)

// The commands of docs/payctl.md do what the page says, in a shell, one block after the other.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/payctl.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, blocks := workshop(t, string(page)), shellBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 6 {
		t.Fatalf("%d blocks", len(blocks))
	}
	for _, block := range blocks {
		shell := exec.CommandContext(t.Context(), "sh", "-ec", block[1])
		shell.Dir = dir
		shell.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "DIAMONDPAY_SECRET=secret")
		if out, err := shell.CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("%v:\n%s\n%s", err, block[1], out)
		}
	}
}

// workshop is a folder with everything that the page's commands name, payctl itself included, which is
// this test program under another name.
func workshop(t *testing.T, page string) string {
	t.Helper()
	server := natstest.Start(t)
	conn, err := jetstream.Connect(bounded(t), options(server.URL()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.EnsureStreams(bounded(t)); err != nil {
		t.Fatal(err)
	}
	live(t, conn, payment.New(command("P-1001")), submitting, pending)
	for _, order := range []string{"P-3001", "P-3002", "P-3003"} {
		parkedPayment(t, conn, order)
	}
	for _, order := range []string{"P-4001", "P-4002"} {
		give(t, conn, command(order), events.DeadVerdict(events.DeadUnknownProvider, "provider: nobody configured it here"))
	}
	dir := filepath.Dir(configuration(t, server.URL(), gate(t, 200, twoBanks)))
	for name, content := range map[string]string{
		"secret.txt": "secret\n", "body.json": `{"payment_id":"1","list":["홍"]}`, "flat.json": `{"amount":"1000"}`,
		"callback.json":     `{"payment":{"id":"000049","status":"success"},"signature":"/3TrhHVz9BHaLfgLyhoxO7dsQNzbzZa/TdO3pxQocXWwgVM6tGlzMLVfpOxFNTnkR9iiFVK/77ZedMcbkCjmng=="}`,
		"notification.json": `{"payment_id":"PM1","amount":400000,"sign":"804628be9f30b9ff048a05177fc41e14"}`,
		"payouts.csv":       csvBlock.FindStringSubmatch(page)[1],
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "payctl")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The page names every command.
func TestAllCommandsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/payctl.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range payctl.Leaves() {
		if !strings.Contains(string(page), path+" ") {
			t.Errorf("%s is not in docs/payctl.md", path)
		}
	}
}
