package testenv

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"payonce/test/freeport"
)

var builds = struct {
	sync.Mutex
	dir   string
	files map[string]func() (string, error)
}{files: map[string]func() (string, error){}}

// Build compiles a program with the arguments of go build, of which the last is the package, and returns its file. It is built once:
// [RemoveBuilds] removes it in the end.
func Build(t testing.TB, args ...string) string {
	t.Helper()
	builds.Lock()
	key := strings.Join(args, " ")
	if builds.files[key] == nil {
		n := len(builds.files)
		builds.files[key] = sync.OnceValues(func() (string, error) { return build(n, args) })
	}
	once := builds.files[key]
	builds.Unlock()
	path, err := once()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func build(n int, args []string) (path string, err error) {
	builds.Lock()
	if builds.dir == "" {
		builds.dir, err = os.MkdirTemp("", "payonce-programs-")
	}
	path = filepath.Join(builds.dir, strconv.Itoa(n), filepath.Base(args[len(args)-1]))
	builds.Unlock()
	if err != nil {
		return "", err
	}
	flags, source := args[:len(args)-1], args[len(args)-1]
	// Without what only a debugger reads, as in a release: linking takes a third less.
	all := append(append([]string{"build"}, flags...), "-ldflags=-s -w", "-o", path, source) // -C must be the first flag
	if out, err := exec.Command("go", all...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return path, nil
}

// RemoveBuilds removes what [Build] built.
func RemoveBuilds() {
	builds.Lock()
	defer builds.Unlock()
	_ = os.RemoveAll(builds.dir)
	builds.dir = ""
	clear(builds.files)
}

// FreeAddress returns a host:port on which no process listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, err := freeport.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// NATSOptions are how a nats-server process runs. Zero is as in production: every write is synced to the disk.
type NATSOptions struct {
	Store    string // folder of its streams; empty is one beside its log
	Unsynced bool
	Lines    string // more of its configuration
}

// NATS is a nats-server that is a process of its own.
type NATS struct {
	*Process
	URL, Store string

	t           testing.TB
	dir, config string
	starts      int
}

// StartNATS runs a nats-server until the test ends. Its log is in dir.
func StartNATS(t testing.TB, dir string, o NATSOptions) *NATS {
	t.Helper()
	address := FreeAddress(t)
	n := &NATS{t: t, URL: "nats://" + address, Store: cmp.Or(o.Store, filepath.Join(dir, "nats")), dir: dir, config: filepath.Join(dir, "nats.conf")}
	sync := ", sync_interval: always"
	if o.Unsynced {
		sync = ""
	}
	text := fmt.Sprintf("listen: %q\njetstream { store_dir: %q%s }\n%s\n", address, n.Store, sync, o.Lines)
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // also of one that is started again, after all that use it
		if n.Process != nil {
			_ = n.Process.Stop(StopTimeout)
		}
	})
	n.Start()
	return n
}

// Start starts a server again that was stopped.
func (n *NATS) Start() {
	n.t.Helper()
	n.starts++
	name := "nats"
	if n.starts > 1 {
		name = fmt.Sprintf("nats-%d", n.starts)
	}
	program := Build(n.t, "github.com/nats-io/nats-server/v2")
	n.Process = startLogged(n.t, n.dir, name, exec.Command(program, "--config", n.config), "Server is ready")
}

// Stop ends the server as an operator does.
func (n *NATS) Stop() {
	n.t.Helper()
	if err := n.Process.Stop(StopTimeout); err != nil {
		n.t.Fatal(err)
	}
}

// HTTP serves a handler at an address until the test ends, and returns the base URL.
func HTTP(t testing.TB, address string, handler http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return "http://" + listener.Addr().String()
}

// Serve runs a service in this process until the returned function is called, or the test ends. It returns when the service is ready.
func Serve(t testing.TB, run func(ctx context.Context, ready func(message string)) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, ended := make(chan struct{}), make(chan struct{})
	isReady := sync.OnceFunc(func() { close(ready) })
	var err error
	go func() {
		defer close(ended)
		err = run(ctx, func(string) { isReady() })
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if <-ended; err != nil {
			t.Errorf("a service ended: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-ready:
	case <-ended:
		t.Fatal("a service ended at once")
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	case <-time.After(startTimeout):
		t.Fatalf("a service is not ready after %s", startTimeout)
	}
	return stop
}

// Await waits until a condition holds for which there is no signal.
func Await(ctx context.Context, t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// Logs keeps what services of this process log.
type Logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// NewLogs returns logs that are shown if the test fails.
func NewLogs(t testing.TB) *Logs {
	l := &Logs{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", l)
		}
	})
	return l
}

func (l *Logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *Logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
