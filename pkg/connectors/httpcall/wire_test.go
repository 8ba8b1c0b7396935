package httpcall_test

import (
	"bufio"
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
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/connectors/httpcall"
	"payonce/pkg/payment"
)

// senderURL is where the process that [sender] starts sends its requests; senderCall is how long one may take.
const (
	senderURL  = "PAYONCE_TEST_SENDER_URL"
	senderCall = 3 * time.Second
)

// send is the process of sender: a request, and another one for each line that it is given.
func send() {
	client, lines := httpcall.NewClient(httpcall.Options{}), bufio.NewScanner(os.Stdin)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), senderCall)
		_, err := httpcall.Send(ctx, client, post(os.Getenv(senderURL)))
		cancel()
		fmt.Println("sent:", err)
		if !lines.Scan() {
			return
		}
	}
}

// sender starts a process that sends a request to url, and another one after again.
func sender(t *testing.T, url string) (cmd *exec.Cmd, again func()) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), senderURL+"="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, func() { _, _ = io.WriteString(in, "\n") }
}

// endOf returns how a connection ends.
func endOf(conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(timeout))
	_, err := io.Copy(io.Discard, conn)
	if err == nil {
		return io.EOF
	}
	return err
}

// What the kernel has not delivered yet of a request that was given up must not arrive later: the connection ends
// with a reset, which throws it away.
func TestARequestThatIsAbandonedIsReset(t *testing.T) {
	begin := map[string]string{"before an answer": "", "in an answer": "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"}
	for name, answer := range begin {
		for _, how := range []string{"cancelled", "deadline"} {
			t.Run(name+" "+how, func(t *testing.T) {
				ctx, giveUp := context.WithCancel(testContext(t))
				defer giveUp()
				if how == "deadline" {
					ctx, giveUp = endless(ctx)
				}
				ends := make(chan error, 1)
				s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
					write(conn, answer)
					giveUp()
					ends <- endOf(conn)
					return false
				})
				_, err := httpcall.Send(ctx, newClient(t, httpcall.Options{}), post(s.url()))
				mustFail(t, err, connectors.InDoubt, payment.ReasonNoAnswer)
				if end := <-ends; !errors.Is(end, syscall.ECONNRESET) {
					t.Errorf("the connection ended with %v, want a reset", end)
				}
			})
		}
	}
}

// expiring is a context whose deadline passes when the test says so.
type expiring struct {
	context.Context
	done chan struct{}
}

func endless(parent context.Context) (context.Context, context.CancelFunc) {
	e := expiring{parent, make(chan struct{})}
	return e, func() { close(e.done) }
}

func (e expiring) Done() <-chan struct{} { return e.done }

func (e expiring) Err() error {
	select {
	case <-e.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestARequestOverTLSThatIsAbandonedIsReset(t *testing.T) {
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	ends := make(chan error, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		cancel()
		ends <- endOf(conn.(*tls.Conn).NetConn())
		_ = conn.Close()
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	_, err := httpcall.Send(ctx, newClient(t, httpcall.Options{RootCAs: roots}), post(server.URL))
	mustFail(t, err, connectors.InDoubt, payment.ReasonNoAnswer)
	if end := <-ends; !errors.Is(end, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v, want a reset", end)
	}
}

func TestAKilledProcessResetsItsRequest(t *testing.T) {
	ends, pid := make(chan error, 1), make(chan int, 1)
	s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
		_ = syscall.Kill(<-pid, syscall.SIGKILL)
		ends <- endOf(conn)
		return false
	})
	cmd, _ := sender(t, s.url())
	pid <- cmd.Process.Pid
	if end := <-ends; !errors.Is(end, syscall.ECONNRESET) {
		t.Errorf("the connection ended with %v, want a reset", end)
	}
}

func TestAnAnsweredRequestEndsInPeace(t *testing.T) {
	ends := make(chan error, 1)
	s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool {
		write(conn, okReply)
		ends <- endOf(conn)
		return false
	})
	client := newClient(t, httpcall.Options{})
	if _, err := httpcall.Send(testContext(t), client, post(s.url())); err != nil {
		t.Fatal(err)
	}
	client.CloseIdleConnections()
	if end := <-ends; end != io.EOF {
		t.Errorf("the connection ended with %v", end)
	}
}

// The last check comes when the connection is open, TLS too, and nothing of the request has left.
func TestTheLastCheck(t *testing.T) {
	errTooLate := errors.New("too late")
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			var requests, handshakes atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
			server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { handshakes.Add(1); return nil, nil }}
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			roots, start := x509.NewCertPool(), server.Start
			if scheme == "https" {
				start = server.StartTLS
			}
			start()
			t.Cleanup(server.Close)
			if scheme == "https" {
				roots.AddCert(server.Certificate())
			}
			client := newClient(t, httpcall.Options{RootCAs: roots})
			var asked []bool
			submit := func(refuse error) error {
				ctx := connectors.WithSending(testContext(t), connectors.Sending{Check: func(_ context.Context, dialed bool) error {
					if asked = append(asked, dialed); scheme == "https" && handshakes.Load() == 0 {
						t.Error("asked before the handshake")
					}
					return refuse
				}})
				_, err := httpcall.Send(ctx, client, post(server.URL))
				return err
			}
			for range 2 { // the connection of a refused request is not kept
				if e := mustFail(t, submit(errTooLate), connectors.NotSent, payment.ReasonInterrupted); !errors.Is(e, errTooLate) {
					t.Errorf("the cause is lost: %v", e)
				}
			}
			if err := submit(nil); err != nil {
				t.Error(err)
			}
			if err := submit(nil); err != nil {
				t.Error(err)
			}
			mustFail(t, submit(errTooLate), connectors.NotSent, payment.ReasonInterrupted)
			if want := "[true true true false false]"; fmt.Sprint(asked) != want {
				t.Errorf("the connections were dialed: %v, want %s", asked, want)
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("%d requests arrived, want 2", n)
			}
		})
	}
}

// A call that ends while it is checked leaves nothing behind that could still be written.
func TestACallEndsDuringTheLastCheck(t *testing.T) {
	s := serve(t, func(conn net.Conn, _ *http.Request, _ int64) bool { return write(conn, okReply) })
	ctx, cancel := context.WithCancel(testContext(t))
	ctx = connectors.WithSending(ctx, connectors.Sending{Check: func(context.Context, bool) error { cancel(); return nil }})
	_, err := httpcall.Send(ctx, newClient(t, httpcall.Options{}), post(s.url()))
	mustFail(t, err, connectors.NotSent, payment.ReasonUnreachable)
	if n := s.requests.Load(); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
}

// A server that answers twice: the second answer, when it came before the next request left, belongs to no request.
func TestASecondAnswerIsNotTheNextOnes(t *testing.T) {
	const second = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"
	for name, surplus := range map[string]string{"whole": second, "a part": second[:20], "one byte": second[:1]} {
		t.Run(name, func(t *testing.T) {
			for range 100 {
				s := serve(t, func(conn net.Conn, _ *http.Request, n int64) bool {
					if n == 1 {
						return write(conn, okReply+surplus)
					}
					return write(conn, okReply)
				})
				client := newClient(t, httpcall.Options{})
				if _, err := httpcall.Send(testContext(t), client, post(s.url())); err != nil {
					t.Fatal(err)
				}
				reply, err := httpcall.Send(testContext(t), client, post(s.url()))
				arrived := s.requests.Load() - 1
				switch {
				case err == nil && (string(reply.Body) != "{}" || arrived != 1):
					t.Fatalf("the next request, which arrived %d times, was answered %q", arrived, reply.Body)
				case err != nil && connectors.ClassOf(err) == connectors.InDoubt && arrived == 1 && len(surplus) < len(second):
					// a part of a second answer, which Go's transport had begun to read, spoils the right one
				case err != nil && (connectors.ClassOf(err) != connectors.NotSent || arrived != 0):
					t.Fatalf("the next request, which arrived %d times: %v", arrived, err)
				}
			}
		})
	}
}

// One that comes later is taken for the next one's by any client; the reply says that it can be so.
func TestALateSecondAnswerIsMarked(t *testing.T) {
	s := serve(t, func(conn net.Conn, _ *http.Request, n int64) bool {
		if n == 2 {
			write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond")
		}
		return write(conn, okReply)
	})
	client := newClient(t, httpcall.Options{})
	for i, want := range []bool{false, true} {
		reply, err := httpcall.Send(testContext(t), client, post(s.url()))
		if err != nil || reply.Reused != want {
			t.Errorf("call %d: reused %v, want %v (%v)", i, reply.Reused, want, err)
		}
	}
}

func TestAConnectionOfItsOwn(t *testing.T) {
	var headers []http.Header
	connections := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		headers, connections[r.RemoteAddr] = append(headers, r.Header), true
	}))
	t.Cleanup(server.Close)
	client := newClient(t, httpcall.Options{})
	calls := []func() (httpcall.Reply, error){
		func() (httpcall.Reply, error) { return httpcall.Send(testContext(t), client, post(server.URL)) },
		func() (httpcall.Reply, error) {
			r := post(server.URL)
			r.NewConnection = true
			return httpcall.Send(testContext(t), client, r)
		},
		func() (httpcall.Reply, error) {
			ctx := connectors.WithSending(testContext(t), connectors.Sending{NewConnection: true})
			return httpcall.Send(ctx, client, post(server.URL))
		},
	}
	for i, call := range calls {
		if reply, err := call(); err != nil || reply.Reused {
			t.Errorf("call %d: reused %v, %v", i, reply.Reused, err)
		}
	}
	if len(connections) != len(calls) {
		t.Errorf("%d connections were made for %d calls", len(connections), len(calls))
	}
	for _, h := range headers {
		if _, has := h["Connection"]; has || strings.Join(h["User-Agent"], "") != "payonce" {
			t.Errorf("the request has the header %v", h)
		}
	}
}
