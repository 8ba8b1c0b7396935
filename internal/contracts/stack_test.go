package contracts

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/internal/app"
	"payonce/internal/freeport"
	"payonce/internal/natstest"
	"payonce/internal/testenv"
	"payonce/pkg/sandbox"
)

// timeout bounds waits for what must happen. The machine can be slow.
const timeout = 3 * time.Minute

// stack is an ingress and a worker on a real nats-server, in front of the providers' sandbox.
type stack struct {
	ingress, apiKey, natsURL string
	sandbox                  *sandbox.Sandbox
}

func startStack(t *testing.T) *stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	listen, err := freeport.Address(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{ingress: "http://" + listen, natsURL: natstest.Start(t).URL()}
	at := testenv.Addresses{NATS: []string{s.natsURL}, Redis: miniredis.RunT(t).Addr(), Listen: listen}
	keys, err := testenv.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	at.Sandbox = s.startSandbox(t, keys, at)
	path, apiKey, err := keys.WriteConfig(t.TempDir(), at)
	if err != nil {
		t.Fatal(err)
	}
	s.apiKey = apiKey
	logs := &lines{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s", logs)
		}
	})
	run(t, app.Ingress(), path, logs)
	run(t, app.Worker(), path, logs)
	return s
}

func (s *stack) startSandbox(t *testing.T, keys testenv.Keys, at testenv.Addresses) string {
	t.Helper()
	accounts, err := keys.Accounts(at, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.sandbox, err = sandbox.New(sandbox.Options{Now: time.Now, Accounts: accounts}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.sandbox.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: s.sandbox, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }()
	t.Cleanup(func() { _ = web.Close() })
	return "http://" + listener.Addr().String()
}

// run runs a service in this process until the test ends.
func run(t *testing.T, service app.Service, config string, logs *lines) {
	t.Helper()
	rt, err := app.Load(service, config, logs)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	var once sync.Once
	go func() { ended <- service.Run(ctx, rt, func(string) { once.Do(func() { close(ready) }) }) }()
	t.Cleanup(func() { cancel(); <-ended })
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		t.Fatalf("%s: %v\n%s", service.Name, err, logs)
	case <-time.After(2 * timeout):
		t.Fatalf("%s is not ready\n%s", service.Name, logs)
	}
}

// lines keeps what services log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}
func (l *lines) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.text.String() }
