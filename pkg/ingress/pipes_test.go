package ingress_test

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"payonce/pkg/ingress"
)

// pipes is a network in memory, so that a real HTTP server and real bytes run by the fake clock of a
// testing/synctest bubble.
type pipes struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

// newPiped serves an ingress through pipes. Call it inside a bubble.
func newPiped(t *testing.T, change ...func(*ingress.Options)) (*border, *pipes) {
	t.Helper()
	b, lines, _ := newPipedServer(t, change...)
	return b, lines
}

func newPipedServer(t *testing.T, change ...func(*ingress.Options)) (*border, *pipes, *http.Server) {
	t.Helper()
	b := newServer(t, change...)
	lines := &pipes{incoming: make(chan net.Conn), closed: make(chan struct{})}
	web := ingress.NewHTTPServer(b.server, testLimits())
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(lines)
	}()
	t.Cleanup(func() {
		_ = web.Close()
		<-served
		time.Sleep(time.Minute) // the bubble's clock: net/http lingers before it closes a connection
	})
	b.url = "http://ingress"
	return b, lines, web
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

// from is a connection from an address.
type from struct {
	net.Conn
	address string
}

func (f from) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(f.address), Port: 4711} }

// dial returns the client's end of a new connection.
func (p *pipes) dial() (net.Conn, error) { return p.dialFrom("203.0.113.1") }

func (p *pipes) dialFrom(address string) (net.Conn, error) {
	client, server := net.Pipe()
	server = from{server, address}
	select {
	case p.incoming <- server:
		return client, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) transport() *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return p.dial() },
	}
}

// stubborn sends a request and reads the answer though the server stops reading in the middle of the
// body. Go's own transport then reports the failed write, or the answer, as chance has it.
type stubborn struct{ *pipes }

func (s stubborn) RoundTrip(req *http.Request) (*http.Response, error) {
	conn, err := s.dial()
	if err != nil {
		return nil, err
	}
	go func() { _ = req.Write(conn) }() // ends with an error when the server hangs up
	return http.ReadResponse(bufio.NewReader(conn), req)
}
