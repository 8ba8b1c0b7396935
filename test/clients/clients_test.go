// Package clients tests what docs/clients.md shows, against the whole system.
package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/internal/app"
	"payonce/pkg/sandbox"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

const (
	root = "../.."
	page = root + "/docs/clients.md"
	// timeout bounds what must happen. The machine can be slow.
	timeout = 3 * time.Minute
)

// start runs NATS, Redis, the providers' sandbox, an ingress and a worker.
func start(t *testing.T) *testenv.System {
	t.Helper()
	at := testenv.Addresses{NATS: []string{natstest.Start(t).URL()}, Redis: miniredis.RunT(t).Addr()}
	s := testenv.NewSystem(t, t.TempDir(), at, func(a *sandbox.AccountConfig) { a.AutoPay = true })
	for _, service := range []app.Service{app.Ingress(), app.Worker()} {
		rt, err := app.Load(service, s.Config, testenv.NewLogs(t))
		s.Must(err)
		testenv.Serve(t, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
	}
	return s
}

// block returns the block of a language on the page, with the address of this ingress.
func block(t *testing.T, s *testenv.System, language string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	testenv.Must(t, err)
	_, after, found := strings.Cut(string(text), "```"+language+"\n")
	code, _, ends := strings.Cut(after, "\n```")
	if !found || !ends || !strings.Contains(code, "http://127.0.0.1:8080") {
		t.Fatalf("the page has no program in %s", language)
	}
	return strings.ReplaceAll(code, "http://127.0.0.1:8080", "http://"+s.At.Listen)
}

// output runs a command and returns what it prints.
func output(t *testing.T, s *testenv.System, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "PAYONCE_API_KEY="+s.APIKey)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The program in Go that the page shows settles a payment.
func TestGoClient(t *testing.T) {
	s := start(t)
	dir, err := os.MkdirTemp(root+"/test/clients", "_shown-") // inside the module, whose package it imports; ./... leaves it out
	testenv.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	testenv.Must(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(block(t, s, "go")), 0o600))
	if out := output(t, s, dir, "go", "run", "."); out != "settled 20000 KRW\n" {
		t.Errorf("it prints %q", out)
	}
}

// So does the one in JavaScript, with the client as its package has it; and the client's own tests hold: what is repeated and what is
// not, waits, and signatures.
func TestTypeScriptClient(t *testing.T) {
	dir := testenv.BuildTypeScriptClient(t, root, t.TempDir())
	s := start(t)
	testenv.Must(t, os.WriteFile(filepath.Join(dir, "shown.mjs"), []byte(block(t, s, "js")), 0o600))
	if out := output(t, s, dir, "node", "shown.mjs"); out != "settled 20000 KRW\n" {
		t.Errorf("it prints %q", out)
	}
	output(t, s, dir, "node", "--test", "test/")
}
