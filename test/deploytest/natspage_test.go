package deploytest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	sandbox "payonce/pkg/sandbox/teemopay"
	"payonce/test/freeport"
	"payonce/test/redistest"
	"payonce/test/testenv"
)

var fence = regexp.MustCompile("(?ms)^```(sh|yaml)\n(.*?)^```")

// TestNATSPageIsTyped types what "One server" of docs/deploy-nats.md says into a real shell, with the real programs:
// credentials, the check of the files, a server from them, the streams, and the check of a worker.
func TestNATSPageIsTyped(t *testing.T) {
	text, err := os.ReadFile("../../docs/deploy-nats.md")
	testenv.Must(t, err)
	_, part, _ := strings.Cut(string(text), "\n## One server\n")
	part, _, found := strings.Cut(part, "\n## ")
	blocks := fence.FindAllStringSubmatch(part, -1)
	if !found || len(blocks) != 3 || blocks[0][1] != "sh" || blocks[1][1] != "yaml" || blocks[2][1] != "sh" {
		t.Fatalf("the part has other blocks than commands, configuration, commands: %q", blocks)
	}
	p := newPage(t)
	p.typed(t, blocks[0][2])
	p.configure(t, blocks[1][2])
	p.serve(t, blocks[0][2])
	out := p.typed(t, blocks[2][2])
	for _, want := range []string{"done: INTAKE-shop: missing", "done: PAYMENTS consumer ledger-accounting: missing", "All streams match their definition.", " 0 failed"} {
		if !strings.Contains(out, want) {
			t.Errorf("it is not said %q: %s", want, out)
		}
	}
}

// page is a folder in which the lines of a page are typed.
type page struct {
	dir, path     string // path is where the programs are
	port, monitor string
}

func newPage(t *testing.T) page {
	t.Helper()
	p := page{dir: t.TempDir(), path: t.TempDir()}
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-s -w", "-o", p.path+"/", "payonce/cmd/payctl", "payonce/cmd/worker", "github.com/nats-io/nats-server/v2")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, port := range []*string{&p.port, &p.monitor} {
		address, err := freeport.Address(t.Context())
		testenv.Must(t, err)
		_, *port, _ = net.SplitHostPort(address)
	}
	return p
}

func (p page) shell(t *testing.T, lines string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", lines)
	cmd.Dir, cmd.Env = p.dir, append(os.Environ(), "PATH="+p.path+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

func (p page) typed(t *testing.T, lines string) string {
	t.Helper()
	out, err := p.shell(t, lines).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", lines, err, out)
	}
	return string(out)
}

// configure writes the configurations that the page names: what it shows, with the login of each program, and
// one account.
func (p page) configure(t *testing.T, shown string) {
	t.Helper()
	keys, err := sandbox.NewKeys()
	testenv.Must(t, err)
	testenv.Must(t, keys.Write(p.dir))
	common := strings.Replace(shown, "127.0.0.1:4222", "127.0.0.1:"+p.port, 1) + fmt.Sprintf(`
environment: test
redis: {addresses: [%q]}
providers:
  teemopay-kr:
    kind: teemopay
    settings: {base_url: "http://127.0.0.1:1", app_code: app, private_key_file: merchant_private.pem,
      platform_public_keys_file: [platform_public.pem], merchant_name: Shop}
`, redistest.Start(t).Addr())
	for _, program := range []string{"administrator", "operator-kim", "worker"} {
		own := strings.Replace(common, "clients/worker.seed", "clients/"+program+".seed", 1)
		testenv.Must(t, os.WriteFile(filepath.Join(p.dir, program+".yaml"), []byte(own), 0o600))
	}
}

// serve starts the server with the page's own line, without -t, on ports of this test.
func (p page) serve(t *testing.T, lines string) {
	t.Helper()
	_, lines, _ = strings.Cut(lines, "\n") // without making the credentials again
	line := strings.Replace(strings.TrimSpace(lines), "nats-server --config nats/server/node.conf -t",
		"exec nats-server --config nats/server/node.conf -a 127.0.0.1 -p "+p.port+" -m "+p.monitor, 1)
	if !strings.Contains(line, "exec nats-server") {
		t.Fatalf("the page starts no server: %s", lines)
	}
	cmd := p.shell(t, line)
	var logs bytes.Buffer
	cmd.Stderr = &logs
	testenv.Must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("nats-server: %s", logs.String())
		}
	})
	eventually(t, "the server listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+p.port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}
