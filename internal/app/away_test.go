package app_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"payonce/internal/app"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// beginning is a service that has been started, whether it works yet or not.
type beginning struct {
	t     *testing.T
	logs  *testenv.Logs
	admin string // base URL of its listener
	works chan struct{}
	ended chan error
	stop  context.CancelFunc

	archive string // the file of its archive
}

// begin starts a service with an admin listener.
func begin(t *testing.T, service app.Service, nats string) *beginning {
	t.Helper()
	s := configured(t, nats)
	if service.Name == "console" {
		_, section := consoleSection(s)
		s.Edit("\nworker:\n", section)
	}
	return beginConfigured(t, service, s)
}

func beginConfigured(t *testing.T, service app.Service, s *testenv.System) *beginning {
	t.Helper()
	b := &beginning{t: t, archive: filepath.Join(t.TempDir(), "archive.db"), logs: &testenv.Logs{}, works: make(chan struct{}), ended: make(chan error, 1)}
	s.Edit("\nworker:\n", "\narchive:\n  file: "+b.archive+"\nworker:\n")
	b.admin = "http://" + s.Admin(service.Name)
	rt, err := app.Load(service, s.Config, b.logs)
	s.Must(err)
	var ctx context.Context
	ctx, b.stop = context.WithCancel(t.Context())
	go func() { b.ended <- service.Run(ctx, rt, func(string) { close(b.works) }) }()
	return b
}

// sees waits until done is true.
func (b *beginning) sees(what string, done func() bool) {
	b.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(timeout); !done(); {
		select {
		case <-tick.C:
		case err := <-b.ended:
			b.t.Fatalf("it ended before %s: %v\n%s", what, err, b.logs)
		case <-late:
			b.t.Fatalf("%s did not happen\n%s", what, b.logs)
		}
	}
}

// A service that is started while NATS is away waits for it, says so, and is not ready meanwhile.
func TestAStartWaitsForNATS(t *testing.T) {
	for _, service := range []app.Service{app.Worker(), app.Ingress(), app.Archive(), app.Console()} {
		t.Run(service.Name, func(t *testing.T) {
			nats := natstest.Start(t)
			if service.Name == "archive" || service.Name == "console" {
				makeStreams(t, nats.URL()) // it may not make them
			}
			nats.Stop()
			b := begin(t, service, nats.URL())
			defer b.stop()
			const says = "cannot connect to NATS; will retry"
			b.sees("a line in the log", func() bool {
				return strings.Contains(b.logs.String(), says) && strings.Contains(b.logs.String(), "check nats.urls")
			})
			if status, body := get(t, b.admin+"/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "waiting for NATS") {
				t.Errorf("/readyz: %d %s", status, body)
			}
			if status, _ := get(t, b.admin+"/healthz"); status != http.StatusOK {
				t.Errorf("/healthz: %d; a restart would not bring NATS back", status)
			}
			nats.Restart()
			b.sees("the start", func() bool {
				select {
				case <-b.works:
					return true
				default:
					return false
				}
			})
			for line, want := range map[string]int{says: 1, "connected to NATS": 1} {
				if n := strings.Count(b.logs.String(), `"`+line+`"`); n != want {
					t.Errorf("%q is said %d times:\n%s", line, n, b.logs)
				}
			}
			b.sees("readiness", func() bool { status, _ := get(t, b.admin+"/readyz"); return status == http.StatusOK })
			b.stop()
			if err := <-b.ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// What waiting cannot change is no outage: the service ends with what is wrong.
func TestAStartDoesNotWaitForALogin(t *testing.T) {
	closed, err := server.NewServer(&server.Options{
		ServerName: "closed", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true, Username: "somebody", Password: "else",
	})
	if err != nil {
		t.Fatal(err)
	}
	closed.Start()
	t.Cleanup(func() { closed.Shutdown(); closed.WaitForShutdown() })
	if !closed.ReadyForConnections(timeout) {
		t.Fatal("the server does not start")
	}
	bare, err := server.NewServer(&server.Options{ServerName: "bare", Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	bare.Start()
	t.Cleanup(func() { bare.Shutdown(); bare.WaitForShutdown() })
	if !bare.ReadyForConnections(timeout) {
		t.Fatal("the server does not start")
	}
	for url, says := range map[string]string{closed.ClientURL(): "Authorization", bare.ClientURL(): "JetStream"} {
		for _, service := range []app.Service{app.Worker(), app.Ingress()} {
			b := begin(t, service, url)
			select {
			case err := <-b.ended:
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("%s: %v", service.Name, err)
				}
			case <-time.After(timeout):
				t.Errorf("%s waits:\n%s", service.Name, b.logs)
			}
			b.stop()
		}
	}
}
