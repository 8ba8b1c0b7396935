package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"payonce/internal/app"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// adminOf starts a service with an admin listener, and returns its address.
func adminOf(t *testing.T, service app.Service, nats *natstest.Server) string {
	t.Helper()
	s := configured(t, nats.URL())
	address := s.Admin(service.Name)
	rt, err := app.Load(service, s.Config, io.Discard)
	s.Must(err)
	testenv.Serve(t, func(ctx context.Context, ready func(string)) error { return service.Run(ctx, rt, ready) })
	return "http://" + address
}

// configured is a configuration for a broker, before a Redis that is empty and providers that are not there.
func configured(t *testing.T, nats string) *testenv.System {
	t.Helper()
	return testenv.NewSystem(t, t.TempDir(), testenv.Addresses{NATS: []string{nats}, Redis: miniredis.RunT(t).Addr(), Sandbox: "http://127.0.0.1:1"}, nil)
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
			at := adminOf(t, service, nats)
			if status, body := get(t, at+"/healthz"); status != http.StatusOK {
				t.Errorf("/healthz: %d %s", status, body)
			}
			if status, body := get(t, at+"/readyz"); status != http.StatusOK {
				t.Errorf("/readyz: %d %s", status, body)
			}
			want := []string{`payonce_ready{service="` + service.Name + `"} 1`, "payonce_build_info{", "payonce_queue_reconnects_total 0", "go_goroutines", "process_resident_memory_bytes"}
			if service.Name == "ingress" {
				want = append(want, `payonce_queue_oldest_ready_seconds{provider="teemopay-kr",stream="COMMANDS"} 0`, `payonce_payments_open{provider="teemopay-kr",status="parked"} 0`, `payonce_payments_open{provider="teemopay-kr",status="in_doubt"} 0`)
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
