package app_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// librarysWords are how lines begin that nats.go, go-redis, net/http and OpenTelemetry write by themselves.
var librarysWords = regexp.MustCompile(`^(nats|redis|http|tls|net/http|otel|otlp|traces|metrics|failed to|Setting|context|dial|read|write)\b[ :]`)

// TestEveryLineIsOurs makes trouble for a worker and an ingress, each a process of its own: NATS and Redis go away and come back, a
// collector of telemetry isn't there, and one who knocks at a listener with TLS doesn't speak it. Each line that they write is one of
// our log, with a message of ours and without an error that is none; each outage is told once, and so is its end.
func TestEveryLineIsOurs(t *testing.T) {
	t.Cleanup(testenv.RemoveBuilds)
	nats, redis := natstest.Start(t), miniredis.RunT(t)
	s := testenv.NewSystem(t, t.TempDir(), testenv.Addresses{NATS: []string{nats.URL()}, Redis: redis.Addr()}, nil)
	secured := newAuthority(t)
	cert, key, _, _ := secured.issue(t, "ingress", false)
	s.Must(os.WriteFile(filepath.Join(s.Dir, "tls.pem"), []byte(cert), 0o600))
	s.Must(os.WriteFile(filepath.Join(s.Dir, "tls.key"), []byte(key), 0o600))
	s.Edit("level: debug\n  format: text", "level: info\n  format: json",
		"\ningress:\n", "\ningress:\n  tls: {enabled: true, cert_file: tls.pem, key_file: tls.key}\n")
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_METRIC_EXPORT_INTERVAL=200", "OTEL_BSP_SCHEDULE_DELAY=100"}
	stops := map[string]func(){}
	for name, ready := range map[string]string{"worker": `"msg":"working"`, "ingress": `"msg":"listening on `} {
		process := s.Process(testenv.Build(t, "payonce/cmd/"+name), name, ready, env...)
		stops[name] = func() { s.Must(process.Stop(testenv.StopTimeout)) }
	}
	says := func(name, message string, times int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		testenv.Await(ctx, t, name+" says: "+message, func() bool { return strings.Count(s.LogOf(name), `"msg":"`+message+`"`) >= times })
	}
	s.Log = testenv.Connect(t, jetstream.Options{URLs: s.At.NATS})

	redis.Close()
	s.Publish(t.Context(), payment.Ref{Provider: testenv.TeemoPay, Order: "R-1"}, payment.Payout)
	says("worker", "Redis: no answer", 1)
	says("worker", "claim store unavailable", 1)
	s.Must(redis.Restart())
	says("worker", "Redis: answers again", 1)

	nats.Stop()
	for name := range stops {
		says(name, "NATS: disconnected", 1)
		says(name, "NATS: cannot connect again; will retry", 1)
	}
	nats.Restart()
	for name := range stops {
		says(name, "NATS: connected again", 1)
		says(name, "telemetry is not delivered", 1)
	}
	conn, err := net.Dial("tcp", s.At.Listen)
	s.Must(err)
	_, err = conn.Write([]byte("GET / HTTP/1.0\r\n\r\n"))
	s.Must(err)
	_ = conn.Close()
	says("ingress", "HTTP server", 1)

	for name, stop := range stops {
		stop()
		for line := range strings.Lines(s.LogOf(name)) {
			var fields map[string]any
			if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["level"] == nil || fields["msg"] == nil {
				t.Errorf("%s writes a line that is not of its log: %s", name, line)
				continue
			}
			if message := fields["msg"].(string); librarysWords.MatchString(message) {
				t.Errorf("%s: a message is a library's: %s", name, line)
			}
			if nothing, there := fields["error"]; there && nothing == nil {
				t.Errorf("%s: an error that is none: %s", name, line)
			}
		}
		for _, message := range []string{"NATS: disconnected", "NATS: cannot connect again; will retry", "NATS: connected again"} {
			if n := strings.Count(s.LogOf(name), `"msg":"`+message+`"`); n != 1 {
				t.Errorf("%s says %d times: %s", name, n, message)
			}
		}
	}
	for _, message := range []string{"Redis: no answer", "Redis: answers again", "claim store unavailable"} {
		if n := strings.Count(s.LogOf("worker"), `"msg":"`+message+`"`); n != 1 {
			t.Errorf("the worker says %d times: %s", n, message)
		}
	}
}
