package app

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"payonce/pkg/connectors/httpcall"
)

// A provider that sends more than its answer must not have it written into our log.
func TestASecondAnswerIsNotLogged(t *testing.T) {
	var lines bytes.Buffer
	before, output := slog.Default(), log.Writer()
	t.Cleanup(func() { slog.SetDefault(before); log.SetOutput(output) })
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
	if text := lines.String(); !strings.Contains(text, "Unsolicited response") || strings.Contains(text, "HONG-GILDONG") {
		t.Errorf("the log says: %s", text)
	}
}
