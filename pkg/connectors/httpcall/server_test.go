package httpcall_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
)

func TestMain(m *testing.M) {
	if os.Getenv(senderURL) != "" {
		send()
		return
	}
	goleak.VerifyTestMain(m)
}

// timeout bounds what must happen; it is never what a test measures.
const timeout = 30 * time.Second

// rawServer is a TCP listener that counts the requests that arrive, so that a test sees bytes and not
// what an HTTP server makes of them.
type rawServer struct {
	listener net.Listener
	requests atomic.Int64
	done     sync.WaitGroup
}

// serve starts a server that reads requests and lets answer write to the connection. n counts the
// requests of all connections from 1. The connection is closed when answer returns false.
func serve(t *testing.T, answer func(conn net.Conn, r *http.Request, n int64) bool) *rawServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{listener: listener}
	s.done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.done.Go(func() { s.converse(conn, answer) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.done.Wait()
	})
	return s
}

func (s *rawServer) converse(conn net.Conn, answer func(net.Conn, *http.Request, int64) bool) {
	defer func() { _ = conn.Close() }()
	in := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		if !answer(conn, r, s.requests.Add(1)) {
			return
		}
	}
}

func (s *rawServer) url() string { return "http://" + s.listener.Addr().String() + "/pay" }

// write answers with these bytes and keeps the connection.
func write(conn net.Conn, text string) bool {
	_, err := io.WriteString(conn, text)
	return err == nil
}

// reset makes the connection end with RST instead of FIN.
func reset(conn net.Conn) bool {
	_ = conn.(*net.TCPConn).SetLinger(0)
	return false
}

const okReply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

func newClient(t *testing.T, o httpcall.Options) *http.Client {
	t.Helper()
	client := httpcall.NewClient(o)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}

// Marks that must never be seen in an error.
const (
	queryMark  = "query-mark-7731"
	headerMark = "header-mark-7731"
	bodyMark   = "body-mark-7731"
	replyMark  = "reply-mark-7731"
)

func post(url string) httpcall.Request {
	return httpcall.Request{
		Method: http.MethodPost, URL: url + "?key=" + queryMark,
		Header: http.Header{"app_code": {headerMark}}, Body: []byte(`{"name":"` + bodyMark + `"}`),
	}
}

// mustFail asserts the class of err and that err holds nothing of the request or the reply.
func mustFail(t *testing.T, err error, class connectors.Class, code string) *connectors.Error {
	t.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v, want a *connectors.Error", err, err)
	}
	if e.Class != class || e.Code != code || e.Evidence == "" {
		t.Errorf("got class %v, code %q, evidence %q; want %v, %q and some evidence (%v)", e.Class, e.Code, e.Evidence, class, code, err)
	}
	for _, text := range []string{e.Error(), e.Evidence, e.Message, e.ProviderCode} {
		for _, mark := range []string{queryMark, headerMark, bodyMark, replyMark} {
			if strings.Contains(text, mark) {
				t.Errorf("the error shows %q: %s", mark, text)
			}
		}
	}
	return e
}
