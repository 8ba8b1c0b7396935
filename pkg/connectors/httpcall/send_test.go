package httpcall_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

func TestSendWritesTheRequestAsGiven(t *testing.T) {
	received := make(chan []byte, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		buf := make([]byte, 4096)
		n := 0
		for !bytes.HasSuffix(buf[:n], []byte(`"}`)) {
			m, err := conn.Read(buf[n:])
			if err != nil {
				break
			}
			n += m
		}
		received <- buf[:n]
		write(conn, okReply)
	}()
	t.Cleanup(func() { _ = listener.Close() })
	reply, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), post("http://"+listener.Addr().String()+"/pay"))
	if err != nil || reply.Status != 200 || string(reply.Body) != "{}" || reply.Header.Get("Content-Length") != "2" {
		t.Fatalf("got %+v, %v", reply, err)
	}
	want := "POST /pay?key=" + queryMark + " HTTP/1.1\r\nHost: " + listener.Addr().String() + "\r\nUser-Agent: payonce\r\n" +
		"Content-Length: 25\r\napp_code: " + headerMark + "\r\n\r\n" + `{"name":"` + bodyMark + `"}`
	if got := string(<-received); got != want {
		t.Errorf("on the wire:\n%q\nwant\n%q", got, want)
	}
}

func TestSendKeepsTheCallersHeader(t *testing.T) {
	agents := make(chan string, 1)
	s := serve(t, func(conn net.Conn, r *http.Request, _ int64) bool {
		agents <- r.Header.Get("User-Agent")
		return write(conn, okReply)
	})
	r := post(s.url())
	r.Header = http.Header{"User-Agent": {"mine"}}
	if _, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), r); err != nil {
		t.Fatal(err)
	}
	if got := <-agents; got != "mine" || len(r.Header) != 1 {
		t.Errorf("agent %q, header now %v", got, r.Header)
	}
}

// Every method, with and without a body: a kept connection that drops after the second request was
// received must not bring the request a third time.
func TestReusedConnectionDropsAfterTheRequest(t *testing.T) {
	for _, method := range []string{"POST", "GET", "HEAD", "PUT", "DELETE"} {
		for _, body := range []string{"", "{}"} {
			for name, drop := range map[string]func(net.Conn) bool{"FIN": func(net.Conn) bool { return false }, "RST": reset} {
				t.Run(fmt.Sprintf("%s body %q %s", method, body, name), func(t *testing.T) {
					s := serve(t, func(conn net.Conn, _ *http.Request, n int64) bool {
						if n > 1 {
							return drop(conn)
						}
						return write(conn, okReply)
					})
					client := newClient(t, httpcall.Options{})
					if _, err := httpcall.Send(testContext(t), client, post(s.url())); err != nil {
						t.Fatal(err)
					}
					_, err := httpcall.Send(testContext(t), client, httpcall.Request{Method: method, URL: s.url(), Body: []byte(body)})
					mustFail(t, err, connectors.InDoubt, payment.ReasonNoAnswer)
					if got := s.requests.Load(); got != 2 {
						t.Errorf("%d requests arrived, want the first and exactly one more", got)
					}
				})
			}
		}
	}
}

func TestIdempotencyKeyIsRefused(t *testing.T) {
	s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool { return write(conn, okReply) })
	for _, key := range []string{"Idempotency-Key", "X-Idempotency-Key", "idempotency-key"} {
		r := post(s.url())
		r.Header = http.Header{key: {headerMark}}
		_, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), r)
		mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable)
	}
	if got := s.requests.Load(); got != 0 {
		t.Errorf("%d requests arrived", got)
	}
}

// The server closes the kept connection at about the time of the next request. Whatever the client
// saw, the server has seen the order at most once, and not at all when the client says "not sent".
func TestServerClosesAnIdleConnection(t *testing.T) {
	for round := range 200 {
		s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
			write(conn, okReply)
			return false
		})
		client := newClient(t, httpcall.Options{})
		if _, err := httpcall.Send(testContext(t), client, post(s.url())); err != nil {
			t.Fatal(err)
		}
		_, err := httpcall.Send(testContext(t), client, post(s.url()))
		arrived := s.requests.Load() - 1
		switch class := connectors.ClassOf(err); {
		case arrived > 1, err == nil && arrived != 1:
			t.Fatalf("round %d: %d requests arrived, error %v", round, arrived, err)
		case err != nil && class == connectors.NotSent && arrived != 0:
			t.Fatalf("round %d: not sent, and yet it arrived: %v", round, err)
		case err != nil && class != connectors.NotSent && class != connectors.InDoubt:
			t.Fatalf("round %d: class %v", round, class)
		}
	}
}

func TestNothingWasSent(t *testing.T) {
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusedURL := "://" + refused.Addr().String() + "/pay"
	_ = refused.Close()

	t.Run("dial refused", func(t *testing.T) {
		for _, scheme := range []string{"http", "https"} {
			_, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), post(scheme+refusedURL))
			e := mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable)
			if !errors.Is(e, syscall.ECONNREFUSED) || !strings.HasSuffix(e.Error(), ": connection refused") {
				t.Errorf("the cause is lost: %v", e)
			}
		}
	})
	t.Run("unknown host", func(t *testing.T) {
		_, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), post("http://no-such-host.invalid/pay"))
		mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable)
	})
	t.Run("bad URL", func(t *testing.T) {
		for _, url := range []string{"", "/pay", "ftp://127.0.0.1/", "http:///pay", "http://127.0.0.1:x/" + queryMark, "://"} {
			_, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), post(url))
			mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable)
		}
	})
	t.Run("foreign client", func(t *testing.T) {
		for _, client := range []*http.Client{nil, http.DefaultClient, {Transport: &http.Transport{}}, {Transport: http.NewFileTransport(http.Dir("."))}} {
			_, err := httpcall.Send(testContext(t), client, post("http://127.0.0.1/pay"))
			mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable)
		}
	})
	t.Run("deadline passed or cancelled before", func(t *testing.T) {
		s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool { return write(conn, okReply) })
		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		passed, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
		defer cancel()
		for want, ctx := range map[error]context.Context{context.Canceled: cancelled, context.DeadlineExceeded: passed} {
			_, err := httpcall.Send(ctx, newClient(t, httpcall.Options{}), post(s.url()))
			if e := mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable); !errors.Is(e, want) {
				t.Errorf("the cause is lost: %v", e)
			}
		}
		if got := s.requests.Load(); got != 0 {
			t.Errorf("%d requests arrived", got)
		}
	})
}

// A reset or a silence in the TLS handshake looks like one after the request, and is proven not to be.
func TestTLSHandshakeFails(t *testing.T) {
	handshakes := map[string]func(net.Conn){
		"reset": func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)); reset(conn) },
		"close": func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) },
		"plain": func(conn net.Conn) { write(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"mute":  func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, // until the client gives up
	}
	for name, handshake := range handshakes {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var done sync.WaitGroup
			done.Go(func() {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				handshake(conn)
				_ = conn.Close()
			})
			t.Cleanup(func() { _ = listener.Close(); done.Wait() })
			client := newClient(t, httpcall.Options{DialTimeout: time.Second})
			_, err = httpcall.Send(testContext(t), client, post("https://"+listener.Addr().String()+"/pay"))
			mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable)
		})
	}
}

func TestTLS(t *testing.T) {
	requests := make(chan *http.Request, 8)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r }))
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	if _, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{RootCAs: roots}), post(server.URL)); err != nil {
		t.Fatal(err)
	}
	if r := <-requests; r.Proto != "HTTP/1.1" || r.TLS.Version < tls.VersionTLS12 {
		t.Errorf("spoke %s over TLS %x", r.Proto, r.TLS.Version)
	}

	_, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), post(server.URL))
	if e := mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable); !strings.Contains(e.Error(), "certificate") {
		t.Errorf("an unknown certificate gives %v", e)
	}

	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = log.New(io.Discard, "", 0)
	old.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	old.StartTLS()
	t.Cleanup(old.Close)
	_, err = httpcall.Send(testContext(t), newClient(t, httpcall.Options{RootCAs: roots}), post(old.URL))
	mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable)
	if len(requests) != 0 {
		t.Error("a request arrived over a connection that is not trusted")
	}
}

// What a person reads of a provider that cannot be reached, seen through real sockets: DNS, refused, TLS or timed out. Where a byte may
// have been written it says that no reply came, and not whether the request arrived.
func TestUnreachableSaysWhy(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	secured := httptest.NewUnstartedServer(http.NotFoundHandler())
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	secured.StartTLS()
	t.Cleanup(secured.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secured.Certificate())
	otherName := strings.Replace(secured.URL, "127.0.0.1", "localhost", 1)
	arrived := make(chan struct{})
	arrive := sync.OnceFunc(func() { close(arrived) })
	mute := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
		arrive()
		_, _ = io.Copy(io.Discard, conn)
		return false
	})
	gone := serve(t, func(net.Conn, *http.Request, int64) bool { return false })
	cut := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool { return reset(conn) })
	half := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
		write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}")
		return false
	})
	silent := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	shut := listen(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	for name, c := range map[string]struct {
		url     string
		roots   *x509.CertPool
		within  time.Duration   // of the call; 0 is long
		until   <-chan struct{} // of the call, if not nil
		class   connectors.Class
		message string // its beginning
	}{
		"DNS":                 {"http://no-such-host.invalid/pay", nil, 0, nil, connectors.NotSent, "DNS: "},
		"refused":             {"http://" + closed.Addr().String() + "/pay", nil, 0, nil, connectors.NotSent, "connection refused"},
		"refused, TLS":        {"https://" + closed.Addr().String() + "/pay", nil, 0, nil, connectors.NotSent, "connection refused"},
		"unknown authority":   {secured.URL, nil, 0, nil, connectors.NotSent, "TLS: the certificate is of an unknown authority"},
		"another name":        {otherName, roots, 0, nil, connectors.NotSent, "TLS: the certificate is for another host name"},
		"silent in handshake": {"https://" + silent + "/pay", nil, 500 * time.Millisecond, nil, connectors.NotSent, "timed out before the connection was made"},
		"closed in handshake": {"https://" + shut + "/pay", nil, 0, nil, connectors.NotSent, "TLS: handshake: "},
		"no reply in time":    {mute.url(), nil, 0, arrived, connectors.InDoubt, "no reply: timed out"},
		"closed":              {gone.url(), nil, 0, nil, connectors.InDoubt, "no reply: the server closed the connection"},
		"reset":               {cut.url(), nil, 0, nil, connectors.InDoubt, "no reply: "},
		"half a reply":        {half.url(), nil, 0, nil, connectors.InDoubt, "the reply broke off: the server closed the connection"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			if c.within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, c.within)
				defer cancel()
			}
			if c.until != nil {
				defer context.AfterFunc(ctx, arrive)() // a request that never arrives fails the test
				ctx = deadline{ctx, c.until}
			}
			_, err := httpcall.Send(ctx, newClient(t, httpcall.Options{RootCAs: c.roots}), post(c.url))
			code := map[connectors.Class]string{connectors.NotSent: payment.ReasonUnreachable, connectors.InDoubt: payment.ReasonNoAnswer}[c.class]
			e := mustFail(t, err, c.class, code)
			if !strings.HasPrefix(e.Message, c.message) || strings.Count(e.Error(), e.Message) != 1 || e.Reason().Message != e.Message {
				t.Errorf("it says %q (%v), want %q", e.Message, e, c.message)
			}
			if sent := strings.Contains(e.Message, "written") || strings.Contains(e.Message, "sent") || strings.Contains(e.Message, "received"); sent {
				t.Errorf("%q says more than is known", e.Message)
			}
		})
	}
}

// deadline is a context whose time is over when a channel is closed: on a slow machine not before the request has arrived.
type deadline struct {
	context.Context
	over <-chan struct{}
}

func (d deadline) Done() <-chan struct{} { return d.over }

func (d deadline) Err() error {
	select {
	case <-d.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// listen hands each connection to a function and closes it then, until the test ends.
func listen(t *testing.T, each func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() { each(conn); _ = conn.Close() })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); done.Wait() })
	return listener.Addr().String()
}

func TestInDoubtAfterTheRequest(t *testing.T) {
	answers := map[string]struct {
		answer func(conn net.Conn) bool
		status string
	}{
		"close":             {func(net.Conn) bool { return false }, ""},
		"reset":             {reset, ""},
		"garbage":           {func(c net.Conn) bool { write(c, replyMark+"\r\n\r\n"); return false }, ""},
		"bad status":        {func(c net.Conn) bool { write(c, "HTTP/1.1 "+replyMark+"\r\n\r\n"); return false }, ""},
		"huge header":       {func(c net.Conn) bool { write(c, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)); return false }, ""},
		"truncated body":    {func(c net.Conn) bool { write(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"); return false }, "http_200"},
		"reset in the body": {func(c net.Conn) bool { write(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"); return reset(c) }, "http_200"},
		"truncated chunk": {func(c net.Conn) bool {
			write(c, "HTTP/1.1 502 X\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}")
			return false
		}, "http_502"},
	}
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool { return a.answer(conn) })
			_, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), post(s.url()))
			e := mustFail(t, err, connectors.InDoubt, payment.ReasonNoAnswer)
			if e.ProviderCode != a.status {
				t.Errorf("provider code %q, want %q", e.ProviderCode, a.status)
			}
			if got := s.requests.Load(); got != 1 {
				t.Errorf("%d requests arrived, want 1", got)
			}
		})
	}
}

// The call ends while the server keeps silent: before any header, and in the middle of the body.
func TestContextEndsAfterTheRequest(t *testing.T) {
	for name, begin := range map[string]string{"before the header": "", "in the body": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(testContext(t))
			defer cancel()
			s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
				write(conn, begin)
				cancel()
				_, _ = io.Copy(io.Discard, conn) // until the client closes
				return false
			})
			_, err := httpcall.Send(ctx, newClient(t, httpcall.Options{}), post(s.url()))
			if e := mustFail(t, err, connectors.InDoubt, payment.ReasonNoAnswer); !errors.Is(e, context.Canceled) {
				t.Errorf("the cause is lost: %v", e)
			}
		})
	}
}

func TestDeadlineEndsACall(t *testing.T) {
	s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
		_, _ = io.Copy(io.Discard, conn)
		return false
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := httpcall.Send(ctx, newClient(t, httpcall.Options{}), post(s.url()))
	var e *connectors.Error
	if !errors.As(err, &e) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if want := s.requests.Load() == 1; want && e.Class != connectors.InDoubt { // a slow machine may not have sent it
		t.Errorf("the request arrived and the class is %v", e.Class)
	}
}

func TestReplyLimit(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	replies := map[string]string{
		"with length": fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(long), long),
		"chunked":     fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(long), long),
		"endless":     "HTTP/1.1 200 OK\r\n\r\n" + long,
	}
	for name, reply := range replies {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool { write(conn, reply); return false })
			_, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), post(s.url()))
			if e := mustFail(t, err, connectors.InDoubt, payment.ReasonIndeterminate); e.ProviderCode != "http_200" || e.Message == "" {
				t.Errorf("got %+v", e)
			}
		})
	}
	t.Run("exactly the limit", func(t *testing.T) {
		s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
			return write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd")
		})
		r := post(s.url())
		r.ReplyLimit = 4
		if reply, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), r); err != nil || string(reply.Body) != "abcd" {
			t.Errorf("got %q, %v", reply.Body, err)
		}
		r.ReplyLimit = 3
		_, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), r)
		mustFail(t, err, connectors.InDoubt, payment.ReasonIndeterminate)
	})
}

func TestAnyStatusIsAReply(t *testing.T) {
	replies := map[int]string{
		301: "HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
		302: "HTTP/1.1 302 Found\r\nLocation: ::%zz\r\nContent-Length: 0\r\n\r\n",
		307: "HTTP/1.1 307 Temporary\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
		308: "HTTP/1.1 308 Permanent\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
		401: "HTTP/1.1 401 No\r\nWww-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n",
		503: "HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
		200: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
	}
	for status, text := range replies {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool { return write(conn, text) })
			reply, err := httpcall.Send(testContext(t), newClient(t, httpcall.Options{}), post(s.url()))
			if err != nil || reply.Status != status || !strings.HasSuffix(text, string(reply.Body)) || status == 503 && len(reply.Body) != 13 {
				t.Errorf("got %d %q, %v", reply.Status, reply.Body, err)
			}
			if got := s.requests.Load(); got != 1 {
				t.Errorf("%d requests arrived, want 1", got)
			}
		})
	}
}

func TestManyWorkersAtOnce(t *testing.T) {
	const workers, calls = 32, 20
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen[string(body)]++
		mu.Unlock()
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	client := newClient(t, httpcall.Options{})
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			for call := range calls {
				body := fmt.Sprintf("%d-%d", worker, call)
				reply, err := httpcall.Send(testContext(t), client, httpcall.Request{Method: "POST", URL: server.URL, Body: []byte(body)})
				if err != nil || string(reply.Body) != body {
					t.Errorf("call %s: %q, %v", body, reply.Body, err)
				}
			}
		})
	}
	group.Wait()
	if len(seen) != workers*calls {
		t.Errorf("%d different requests arrived, want %d", len(seen), workers*calls)
	}
	for body, times := range seen {
		if times != 1 {
			t.Errorf("%s arrived %d times", body, times)
		}
	}
}

func TestConnectionsAreKept(t *testing.T) {
	const workers = 16
	var mu sync.Mutex
	connections := map[string]bool{}
	arrived := make(chan struct{}, workers)
	release := make(chan struct{}, workers)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		connections[r.RemoteAddr] = true
		mu.Unlock()
		arrived <- struct{}{}
		<-release
	}))
	t.Cleanup(server.Close)
	client := newClient(t, httpcall.Options{})
	for range 3 { // each round holds all workers inside the server at once
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				if _, err := httpcall.Send(testContext(t), client, post(server.URL)); err != nil {
					t.Error(err)
				}
			})
		}
		for range workers {
			<-arrived
		}
		for range workers {
			release <- struct{}{}
		}
		group.Wait()
	}
	// A connection goes back to the pool a moment after its reply was read, so some may be opened again.
	if len(connections) >= 3*workers {
		t.Errorf("%d connections for %d calls: none was kept", len(connections), 3*workers)
	}
}
