package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel"

	"payonce/internal/telemetry"
	"payonce/pkg/config"
	"payonce/pkg/connectors/httpcall"
)

// A provider that sends more than its answer must not have it written into our log.
func TestASecondAnswerIsNotLogged(t *testing.T) {
	var lines bytes.Buffer
	keepLoggers(t)
	logLibraries(slog.New(slog.NewTextHandler(&lines, nil)))

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\nHONG-GILDONG")
		_, _ = io.Copy(io.Discard, conn) // until the client has seen what it is and closes
		_ = conn.Close()
	}()
	client := httpcall.NewClient(httpcall.Options{})
	if _, err := httpcall.Send(t.Context(), client, httpcall.Request{Method: http.MethodGet, URL: "http://" + listener.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	<-ended
	_ = listener.Close()
	log.Printf(`Unsolicited response received on idle HTTP channel starting with "HONG-GILDONG"; err=x`) // as net/http does
	if text := lines.String(); !strings.Contains(text, `msg="reported by a library" says="Unsolicited response`) || strings.Contains(text, "HONG-GILDONG") {
		t.Errorf("the log says: %s", text)
	}
}

// keepLoggers restores the loggers of the process when the test ends.
func keepLoggers(t *testing.T) {
	before, output, flags := slog.Default(), log.Writer(), log.Flags()
	t.Cleanup(func() { slog.SetDefault(before); log.SetOutput(output); log.SetFlags(flags) })
}

// What libraries report goes into our log, each line below a message of ours.
func TestLibrariesReportToOurLog(t *testing.T) {
	keepLoggers(t)
	var lines bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	logLibraries(logger)
	seen, err := telemetry.Start(t.Context(), telemetry.Options{Service: "test", Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = seen.Stop(context.WithoutCancel(t.Context())) })

	otel.Handle(errors.New("no collector"))
	otel.SetTracerProvider(otel.GetTracerProvider()) // which OpenTelemetry reports, as long as none was set
	redisLines{logger}.Printf(t.Context(), "pool: %s", "bad connection")
	log.Print("http: something")
	serverErrors(logger).Print("http: TLS handshake error from 127.0.0.1:1: EOF")
	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	_ = client.Ping(t.Context()).Err()
	_ = client.Close()
	for _, want := range []string{
		`level=WARN msg="telemetry is not delivered" error="no collector"`, `msg=OpenTelemetry says=`, `level=DEBUG msg="Redis client" says="pool: bad connection"`,
		`level=WARN msg="reported by a library" says="http: something"`, `level=WARN msg="HTTP server" says="http: TLS handshake error from 127.0.0.1:1: EOF"`,
	} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("%s is missing in:\n%s", want, lines.String())
		}
	}
	for line := range strings.Lines(lines.String()) {
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("not a line of our log: %s", line)
		}
	}
}

// A nil error is left out, in both formats.
func TestNilErrorsAreLeftOut(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var lines bytes.Buffer
		logger := NewLogger(config.Log{Level: "info", Format: format}, &lines)
		var none error
		logger.Info("a", "error", none, "b", "c")
		logger.Info("d", "error", errors.New("one"))
		if text := lines.String(); strings.Contains(text, "nil") || strings.Contains(text, "null") || strings.Count(text, "error") != 1 || !strings.Contains(text, "c") {
			t.Error(text)
		}
	}
}
