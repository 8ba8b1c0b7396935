package app_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/internal/app"
	"payonce/internal/natstest"
	"payonce/internal/testenv"
)

// admin starts a service with a listener for those who look after it, and returns where that is.
func admin(t *testing.T, service app.Service, nats *natstest.Server) string {
	t.Helper()
	keys, err := testenv.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	path, _, err := keys.WriteConfig(t.TempDir(), testenv.Addresses{
		NATS: []string{nats.URL()}, Redis: miniredis.RunT(t).Addr(), Listen: "127.0.0.1:0", Sandbox: "http://127.0.0.1:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.NewReplacer("\nworker:\n", "\nworker:\n  admin_listen: 127.0.0.1:0\n", "\ningress:\n", "\ningress:\n  admin_listen: 127.0.0.1:0\n").Replace(string(text))
	if err := os.WriteFile(path, []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	rt, err := app.Load(service, path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	logs, writer := io.Pipe()
	rt.Logger = slog.New(slog.NewTextHandler(writer, nil))
	ctx, cancel := context.WithCancel(t.Context())
	done, works := make(chan error, 1), make(chan struct{})
	go func() { done <- service.Run(ctx, rt, func(string) { close(works) }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = writer.Close()
	})
	address := make(chan string, 1)
	go func() {
		at := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
		for lines := bufio.NewScanner(logs); lines.Scan(); {
			if found := at.FindString(lines.Text()); strings.Contains(lines.Text(), "metrics and health") {
				address <- found
			}
		}
	}()
	select {
	case <-works:
	case err := <-done:
		done <- err
		t.Fatalf("it ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("it does not begin to work")
	}
	return <-address
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	reply, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply.StatusCode, string(body)
}

func TestAdminListener(t *testing.T) {
	for _, service := range []app.Service{app.Worker(), app.Ingress()} {
		t.Run(service.Name, func(t *testing.T) {
			nats := natstest.Start(t)
			at := admin(t, service, nats)
			if status, body := get(t, at+"/healthz"); status != http.StatusOK {
				t.Errorf("/healthz: %d %s", status, body)
			}
			if status, body := get(t, at+"/readyz"); status != http.StatusOK {
				t.Errorf("/readyz: %d %s", status, body)
			}
			want := []string{`payonce_ready{service="` + service.Name + `"} 1`, "payonce_build_info{", "payonce_queue_reconnects_total 0", "go_goroutines", "process_resident_memory_bytes"}
			if service.Name == "ingress" {
				want = append(want, `payonce_queue_oldest_ready_seconds{provider="teemopay-kr",stream="COMMANDS"} 0`, `payonce_parked{provider="teemopay-kr"} 0`)
			}
			var metrics string
			missing := func() (lines []string) {
				_, metrics = get(t, at+"/metrics")
				for _, line := range want {
					if !strings.Contains(metrics, line) {
						lines = append(lines, line)
					}
				}
				return lines
			}
			for deadline := time.Now().Add(time.Minute); len(missing()) > 0; {
				if time.Now().After(deadline) {
					t.Fatalf("/metrics has no %q:\n%s", missing(), metrics)
				}
			}
			nats.Stop()
			for deadline := time.Now().Add(time.Minute); ; {
				if status, _ := get(t, at+"/readyz"); status == http.StatusServiceUnavailable {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("ready without NATS")
				}
			}
			if status, _ := get(t, at+"/healthz"); status != http.StatusOK {
				t.Error("not healthy without NATS: a restart would not bring it back")
			}
			if _, metrics := get(t, at+"/metrics"); !strings.Contains(metrics, `payonce_ready{service="`+service.Name+`"} 0`) {
				t.Error("the metric says it is ready")
			}
		})
	}
}
