package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"payonce/pkg/connectors"
)

// Gateway is a real HTTP server on the loopback for a connector's own tests. It keeps what arrives. It may
// be used concurrently.
type Gateway struct {
	*httptest.Server
	mu       sync.Mutex
	requests []Received
}

// NewGateway starts a gateway that answers every request with answer. It ends with the test.
func NewGateway(t testing.TB, answer http.HandlerFunc) *Gateway {
	t.Helper()
	g := &Gateway{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		g.mu.Lock()
		g.requests = append(g.requests, Received{Method: r.Method, Target: r.URL.RequestURI(), Header: r.Header, Body: body})
		g.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// Requests returns what arrived until now, in order, without [Received.Lines].
func (g *Gateway) Requests() []Received {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.requests)
}

// Only returns the one request that arrived, and ends the test if it is not one.
func (g *Gateway) Only(t testing.TB) Received {
	t.Helper()
	all := g.Requests()
	if len(all) != 1 {
		t.Fatalf("%d requests arrived, want exactly 1", len(all))
	}
	return all[0]
}

// Answer answers every request the same.
func Answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// ThenDrop answers the first request, and reads the others and drops their connection.
func ThenDrop(first http.HandlerFunc) http.HandlerFunc {
	var answered sync.Once
	return func(w http.ResponseWriter, r *http.Request) {
		drop := true
		answered.Do(func() { first(w, r); drop = false })
		if !drop {
			return
		}
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// Swallow starts a TCP server that reads one request until it ends with last, and drops the connection.
// sent waits for that and returns its bytes.
func Swallow(t testing.TB, last string) (url string, sent func() []byte) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	read := make(chan []byte, 1)
	go func() {
		var raw []byte
		defer func() { read <- raw }()
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		buf := make([]byte, 8192)
		for !bytes.HasSuffix(raw, []byte(last)) {
			n, err := conn.Read(buf)
			raw = append(raw, buf[:n]...)
			if err != nil {
				return
			}
		}
	}()
	return "http://" + listener.Addr().String() + "/", func() []byte { return <-read }
}

// Context returns a context with a deadline that no working test reaches.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}

// Classified returns what a connector says of a failed call. It ends the test if err is no
// [connectors.Error].
func Classified(t testing.TB, err error) *connectors.Error {
	t.Helper()
	var e *connectors.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %T %v, want a *connectors.Error", err, err)
	}
	if e.Evidence == "" {
		t.Errorf("no evidence: %v", e)
	}
	return e
}

// SameJSON tests that two values are written as the same JSON. A notice must have a digest; which one is not compared
// where the one that is wanted has none.
func SameJSON(t testing.TB, got, want any) {
	t.Helper()
	if n, ok := got.(connectors.Notice); ok && n.Digest != (connectors.Notice{}).Digest && want.(connectors.Notice).Digest == (connectors.Notice{}).Digest {
		n.Digest = connectors.Notice{}.Digest
		got = n
	} else if ok && n.Digest == (connectors.Notice{}).Digest {
		t.Errorf("the notice about %s has no digest", n.Order)
	}
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(g, w) {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}
