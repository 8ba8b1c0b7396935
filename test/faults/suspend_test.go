package faults

import (
	"context"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// A worker's machine is suspended while it connects to the provider, for longer than its lease: its monotonic clock stands
// still, or both of its clocks do. Another worker takes the payment over, finds that the provider does not know it, and
// pays. Then the machine wakes up, its handshake ends in time by what its clocks show, and its request must not leave: the
// provider would take it.
func TestMachineSuspendedWhileItConnects(t *testing.T) {
	t.Parallel()
	for name, wallToo := range map[string]bool{"the monotonic clock stands still": false, "both clocks stand still": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startShifted(t)
			ctx := within(t, timeout)
			s.Unhurried()
			provider, trust := s.serveTLS(testenv.TeemoPay)
			first := s.shiftedWorker(0, trust)
			first.ready(ctx, "")
			provider.asked(ctx, t) // for its time, at the start
			o := order{payment.Ref{Provider: testenv.TeemoPay, Order: "suspended"}, payment.Payout}
			provider.holding.Store(true)
			s.publish(ctx, o)
			s.stands(ctx, o, payment.Submitting)
			provider.held(ctx, t)
			wake := first.suspend(ctx, wallToo)
			provider.holding.Store(false) // for the other worker
			s.worker(trust)
			s.settleOnce(ctx, o)
			provider.release()
			wake()
			first.says(ctx, "the last check refused it")
			s.Must(first.Stop(testenv.StopTimeout)) // it finishes what it has in flight first
			s.settleOnce(ctx, o)
			s.createdOnce(o)
		})
	}
}

// slowTLS is the sandbox behind TLS. It can hold connections: they are open, and their handshakes get no answer.
type slowTLS struct {
	net.Listener
	holding  atomic.Bool   // the connections that come now are held
	comes    chan struct{} // something for each connection that was held
	answered chan struct{} // something for each request
	goOn     chan struct{} // closed when those that are held go on
	once     sync.Once     // closes it
}

// serveTLS has the workers that are started next call a provider over TLS, each time over a new connection. They must get the
// returned variable.
func (s *system) serveTLS(provider string) (listener *slowTLS, trust string) {
	s.t.Helper()
	server := httptest.NewUnstartedServer(nil)
	l := &slowTLS{Listener: server.Listener, comes: make(chan struct{}, 100), answered: make(chan struct{}, 100), goOn: make(chan struct{})}
	server.Listener = l
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Sandbox.ServeHTTP(w, r)
		tell(l.answered)
	})
	server.Config.SetKeepAlivesEnabled(false)
	server.StartTLS()
	s.t.Cleanup(func() { l.release(); server.Close() })
	certificate := filepath.Join(s.Dir, "provider.pem")
	s.Must(os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	s.Edit(s.At.Sandbox+"/"+provider, server.URL+"/"+provider)
	return l, "SSL_CERT_FILE=" + certificate
}

// Accept implements [net.Listener].
func (l *slowTLS) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil || !l.holding.Load() {
		return c, err
	}
	tell(l.comes)
	return heldConn{c, l.goOn}, nil
}

// heldConn is read from when its server may go on.
type heldConn struct {
	net.Conn
	goOn <-chan struct{}
}

func (c heldConn) Read(p []byte) (int, error) {
	<-c.goOn
	return c.Conn.Read(p)
}

// release lets all connections go on.
func (l *slowTLS) release() { l.once.Do(func() { close(l.goOn) }) }

// held waits until a connection was held.
func (l *slowTLS) held(ctx context.Context, t *testing.T) {
	t.Helper()
	wait(ctx, t, "a connection to the provider", l.comes)
}

// asked waits until a request was answered.
func (l *slowTLS) asked(ctx context.Context, t *testing.T) {
	t.Helper()
	wait(ctx, t, "a request to the provider", l.answered)
}

func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func wait(ctx context.Context, t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-ctx.Done():
		t.Fatalf("there never was %s", what)
	}
}
