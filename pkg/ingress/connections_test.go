package ingress_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"payonce/pkg/ingress"
)

// served is a real HTTP server behind a bounded listener. A request for /hold is answered once hold gets a value.
type served struct {
	*ingress.Connections
	t    *testing.T
	held chan struct{} // gets a value when a request for /hold has come
	hold chan struct{}
	idle chan struct{} // gets a value when an answer is done with
}

func serveBounded(t *testing.T, most, perAddress int, proxies ...netip.Prefix) *served {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bounded, err := ingress.LimitConnections(listener, most, perAddress, proxies)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{bounded, t, make(chan struct{}), make(chan struct{}), make(chan struct{}, 100)}
	state := func(conn net.Conn, state http.ConnState) {
		bounded.State(conn, state)
		if state == http.StateIdle {
			s.idle <- struct{}{}
		}
	}
	web := &http.Server{ConnState: state, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			s.held <- struct{}{}
			<-s.hold
		}
		_, _ = io.WriteString(w, "ok")
	})}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(bounded) }()
	t.Cleanup(func() { _ = web.Close(); <-ended })
	return s
}

// dial opens a connection from an address of this machine.
func (s *served) dial(address string) net.Conn {
	s.t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := dialer.Dial("tcp", s.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func ask(conn net.Conn, path string) error {
	_, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
	return err
}

// answered reports whether a request is answered on a connection.
func answered(conn net.Conn) bool {
	if ask(conn, "/") != nil {
		return false
	}
	return readsAnswer(conn)
}

func readsAnswer(conn net.Conn) bool {
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return err == nil && answer.StatusCode == 200
}

func closedFor(why string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String(ingress.AttributeReason, why)}
}

// Connections of one address that do nothing shut no other address out.
func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	s := serveBounded(t, 8, 3)
	var first []net.Conn
	for range 3 {
		conn := s.dial("127.0.0.1")
		if !answered(conn) {
			t.Fatal("a connection that may be open is closed")
		}
		first = append(first, conn)
	}
	for name, c := range map[string]struct {
		address string
		want    bool
	}{"the same": {"127.0.0.1", false}, "another": {"127.0.0.2", true}, "a third": {"127.0.0.3", true}} {
		before := counted(t, ingress.CounterConnectionsClosed, closedFor(ingress.ClosedAddress)...)
		if got := answered(s.dial(c.address)); got != c.want {
			t.Errorf("%s address is answered: %v", name, got)
		}
		if refused := counted(t, ingress.CounterConnectionsClosed, closedFor(ingress.ClosedAddress)...)-before == 1; refused == c.want {
			t.Errorf("%s address is counted as closed: %v", name, refused)
		}
	}
	for _, conn := range first {
		if !answered(conn) {
			t.Error("a connection of before is closed")
		}
	}
	_ = first[0].Close()
	for !answered(s.dial("127.0.0.1")) { // once the server has seen that it is closed
		if s.Open() > 5 {
			t.Fatal("more connections than may be open")
		}
	}
}

// Where all places are taken, one that is not used goes to the next: the one that is unused for longest.
func TestUnusedConnectionsGiveTheirPlace(t *testing.T) {
	s := serveBounded(t, 3, 100)
	var all []net.Conn
	for range 3 {
		conn := s.dial("127.0.0.1")
		if !answered(conn) {
			t.Fatal("no answer")
		}
		<-s.idle
		all = append(all, conn)
	}
	if !answered(all[0]) { // so that all[1] is unused for longest
		t.Fatal("no answer")
	}
	<-s.idle
	mustCount(t, ingress.CounterConnectionsClosed, closedFor(ingress.ClosedIdle), func() {
		if !answered(s.dial("127.0.0.1")) {
			t.Error("the next one has no place")
		}
	})
	for i, want := range []bool{true, false, true} {
		if got := answered(all[i]); got != want {
			t.Errorf("connection %d is open: %v", i, got)
		}
	}
	silent := s.dial("127.0.0.1") // never says anything
	for range 5 {
		if !answered(s.dial("127.0.0.2")) {
			t.Error("shut out by those that say nothing")
		}
	}
	if _, err := silent.Read(make([]byte, 1)); err == nil {
		t.Error("a connection that never said anything is not closed")
	}
	if s.Open() > 3 {
		t.Errorf("%d connections are open", s.Open())
	}
}

// A connection that is used is never closed for another, which waits.
func TestUsedConnectionsKeepTheirPlace(t *testing.T) {
	s := serveBounded(t, 2, 100)
	var used []net.Conn
	for range 2 {
		conn := s.dial("127.0.0.1")
		if err := ask(conn, "/hold"); err != nil {
			t.Fatal(err)
		}
		<-s.held
		used = append(used, conn)
	}
	next := s.dial("127.0.0.2")
	if err := ask(next, "/"); err != nil {
		t.Fatal(err)
	}
	s.hold <- struct{}{}
	s.hold <- struct{}{}
	for _, conn := range used {
		if !readsAnswer(conn) {
			t.Error("cut off in the middle of its request")
		}
	}
	if !readsAnswer(next) { // one of them gave its place after its answer, and is still open at the client
		t.Error("the next one waits though a place is not used")
	}
	if !answered(s.dial("127.0.0.1")) {
		t.Error("nobody gets in any more")
	}
}

// A proxy speaks for many.
func TestProxiesHaveNoBoundOfTheirAddress(t *testing.T) {
	s := serveBounded(t, 4, 1, netip.MustParsePrefix("127.0.0.2/32"))
	for _, address := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.2", "127.0.0.2"} {
		if !answered(s.dial(address)) {
			t.Errorf("%s is shut out", address)
		}
	}
}

// Closing the listener ends Accept also while it waits for a place.
func TestClosingEndsWaitingForAPlace(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bounded, err := ingress.LimitConnections(listener, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{Connections: bounded, t: t}
	s.dial("127.0.0.1")
	first, err := bounded.Accept()
	if err != nil {
		t.Fatal(err)
	}
	bounded.State(first, http.StateActive)
	s.dial("127.0.0.2")
	ended := make(chan error)
	go func() { _, err := bounded.Accept(); ended <- err }()
	if err := bounded.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("accepted")
	}
	_ = first.Close()
	if err := first.Close(); err != nil || bounded.Open() != 0 {
		t.Errorf("%d open, %v", bounded.Open(), err)
	}
}
