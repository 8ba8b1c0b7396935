package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/internal/natstest"
	"payonce/internal/testenv"
	"payonce/pkg/events/jetstream"
)

// The ingress knows how long the log remembers, and stores no command of which a worker could not tell whether
// it was paid before.
func TestTheIngressRefusesCommandsOlderThanTheLog(t *testing.T) {
	nats := natstest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	keys, err := testenv.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	path, key, err := keys.WriteConfig(t.TempDir(), testenv.Addresses{
		NATS: []string{nats.URL()}, Redis: "127.0.0.1:1", Listen: "127.0.0.1:0", Sandbox: "http://127.0.0.1:1",
	})
	if err != nil {
		t.Fatal(err)
	}
	rt, err := app.Load(app.Ingress(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := jetstream.Connect(ctx, jetstream.Options{URLs: []string{nats.URL()}, Name: "test", Config: jetstream.DefaultConfig(), Logger: rt.Logger, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	ended, listening := make(chan error, 1), make(chan string, 1)
	go func() { ended <- app.Ingress().Run(ctx, rt, func(message string) { listening <- message }) }()
	defer func() {
		cancel()
		<-ended
	}()
	at := strings.TrimPrefix(<-listening, "listening on ")
	old := time.Now().Add(-rt.Config.NATS.PaymentsRetention).UTC().Format(time.RFC3339)
	body := `{"provider":"teemopay-kr","order":"D-1","requested_at":"` + old + `","amount":{"value":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`
	young := strings.NewReplacer(old, time.Now().UTC().Format(time.RFC3339), "D-1", "D-2").Replace(body)
	for want, text := range map[int]string{http.StatusUnprocessableEntity: body, http.StatusAccepted: young} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+at+"/v1/deposits", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != want || want == http.StatusUnprocessableEntity && !strings.Contains(string(answer), `"field":"requested_at"`) {
			t.Errorf("%d, want %d: %s", resp.StatusCode, want, answer)
		}
	}
}
