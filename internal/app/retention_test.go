package app_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"payonce/internal/app"
	"payonce/pkg/events/jetstream"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// The ingress knows how long the log remembers, and stores no command of which a worker could not tell whether
// it was paid before.
func TestTheIngressRefusesCommandsOlderThanTheLog(t *testing.T) {
	nats := natstest.Start(t)
	s := configured(t, nats.URL())
	rt, err := app.Load(app.Ingress(), s.Config, io.Discard)
	s.Must(err)
	s.Must(testenv.Connect(t, jetstream.Options{URLs: s.At.NATS}).EnsureStreams(t.Context()))
	testenv.Serve(t, func(ctx context.Context, ready func(string)) error { return app.Ingress().Run(ctx, rt, ready) })
	old := time.Now().Add(-rt.Config.NATS.PaymentsRetention).UTC().Format(time.RFC3339)
	body := `{"provider":"teemopay-kr","order":"D-1","requested_at":"` + old + `","amount":{"value":"10000","currency":"KRW"},"customer":{"name":"홍길동"}}`
	young := strings.NewReplacer(old, time.Now().UTC().Format(time.RFC3339), "D-1", "D-2").Replace(body)
	for want, text := range map[int]string{http.StatusUnprocessableEntity: body, http.StatusAccepted: young} {
		status, answer := s.Post(t.Context(), "/v1/deposits", text)
		if status != want || want == http.StatusUnprocessableEntity && !strings.Contains(answer, `"field":"requested_at"`) {
			t.Errorf("%d, want %d: %s", status, want, answer)
		}
	}
}
