package app_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events/jetstream/statistics"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"

	"payonce/internal/app"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/status"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// A service says how it is as soon as it works, without a secret, and takes that away when it stops. Who may read the log
// counts what is open.
func TestHeartbeatsOfServices(t *testing.T) {
	for _, service := range []app.Service{app.Worker(), app.Ingress()} {
		t.Run(service.Name, func(t *testing.T) {
			nats := natstest.Start(t)
			conn, err := jetstream.Connect(t.Context(), jetstream.Options{
				URLs: []string{nats.URL()}, Name: "test", Config: streamconfig.Of(config.Defaults()), Logger: slog.New(slog.DiscardHandler), Now: time.Now,
			})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			levels, err := statistics.New(conn, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Run("lives", func(t *testing.T) {
				adminOf(t, service, nats)
				beat, text := living(t, levels, service)
				if beat.NotReady != "" || beat.Host == "" || beat.Version == "" || len(beat.Configuration) != 12 || beat.Clock == nil || beat.StartedAt.IsZero() {
					t.Errorf("it says %s", text)
				}
				if health := beat.Providers[testenv.TeemoPay]; service.Name == status.ServiceWorker && (health.Breaker != status.BreakerClosed || beat.Slots < 1) {
					t.Errorf("the worker says %s", text)
				}
				for _, secret := range []string{"PRIVATE KEY", "secret", "password", "authorization"} {
					if strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
						t.Errorf("it has %q: %s", secret, text)
					}
				}
			})
			if left, err := levels.Heartbeats(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("after its end %v, %v", left, err)
			}
		})
	}
}

// living waits for the heartbeat of a service; of an ingress for one with what is open.
func living(t *testing.T, levels *statistics.Reporter, service app.Service) (beat status.Heartbeat, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		all, err := levels.Heartbeats(t.Context())
		for key, data := range all {
			if beat, err = status.DecodeHeartbeat(data); err != nil || !strings.HasPrefix(key, service.Name+".") {
				t.Fatalf("%s: %s, %v", key, data, err)
			}
			if service.Name == status.ServiceWorker || beat.Open != nil && beat.Levels != nil {
				return beat, string(data)
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s says nothing: %v, %v", service.Name, all, err)
		}
	}
}

// So do the services beside the payments. A notifier also says how its endpoints stand.
func TestHeartbeatsBesidePayments(t *testing.T) {
	for _, service := range []app.Service{app.Archive(), app.Notifier()} {
		t.Run(service.Name, func(t *testing.T) {
			nats := natstest.Start(t)
			levels, err := statistics.New(makeStreams(t, nats.URL()), nil)
			if err != nil {
				t.Fatal(err)
			}
			s := configured(t, nats.URL())
			s.Must(os.WriteFile(filepath.Join(s.Dir, "keys", "shop.secret"), []byte("whsec_c2hvcCBzZWNyZXQgb2YgdGhlIGFwcCB0ZXN0LCAzMiBieXRlcyE="), 0o600))
			s.Edit("\nworker:\n", "\nnotifier:\n  concurrency: 5\nendpoints:\n  shop: {url: \"https://shop.example/?token=url-secret\", secrets_file: [keys/shop.secret], api_key: testenv}\nworker:\n")
			b := beginConfigured(t, service, s)
			defer b.stop()
			var beat status.Heartbeat
			b.sees("a heartbeat of a service that works", func() bool {
				all, err := levels.Heartbeats(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for key, data := range all {
					if beat, err = status.DecodeHeartbeat(data); err != nil || !strings.HasPrefix(key, service.Name+".") {
						t.Fatalf("%s: %s, %v", key, data, err)
					}
					if strings.Contains(string(data), "secret") || strings.Contains(string(data), "shop.example") {
						t.Errorf("it says too much: %s", data)
					}
				}
				shop := beat.Endpoints["shop"]
				return beat.Service == service.Name && beat.NotReady == "" && (service.Name == status.ServiceArchive || shop.New != nil)
			})
			if beat.Host == "" || beat.Version == "" || len(beat.Configuration) != 12 || beat.Clock == nil || beat.StartedAt.IsZero() {
				t.Errorf("it says %+v", beat)
			}
			if shop := beat.Endpoints["shop"]; service.Name == status.ServiceNotifier && (shop.Breaker != status.BreakerClosed || *shop.New != 0 || *shop.Due != 0 || shop.Disabled || beat.Slots != 5) {
				t.Errorf("the notifier says %+v", beat)
			}
			b.stop()
			if err := <-b.ended; err != nil {
				t.Error(err)
			}
			if left, err := levels.Heartbeats(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("after its end %v, %v", left, err)
			}
		})
	}
}
