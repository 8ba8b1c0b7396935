package app_test

import (
	"log/slog"
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
