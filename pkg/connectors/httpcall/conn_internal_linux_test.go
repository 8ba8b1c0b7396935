package httpcall

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pair returns a connection and its other end.
func pair(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	raw, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = raw.Close(), other.Close() })
	return newConn(raw, raw.(*net.TCPConn)), other
}

// request returns a request that waits to be written to c.
func request(c *conn) *outgoing {
	o, _ := newOutgoing(context.Background())
	o.reused = c.take(o)
	return o
}

// Until all that came before has been used, a kept connection is not written to: what lies in Go's buffer may be a
// second answer, and would be taken for that of the next request.
func TestAKeptConnectionIsWrittenToWhenItIsQuiet(t *testing.T) {
	for name, during := range map[string]func(t *testing.T, c *conn, other net.Conn){
		"a second answer": func(t *testing.T, c *conn, other net.Conn) {
			if _, err := io.WriteString(other, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
				t.Error(err)
			}
			if n, err := c.Read(make([]byte, 4096)); n != 0 || err == nil {
				t.Errorf("read %d, %v", n, err)
			}
		},
		"the end": func(t *testing.T, c *conn, other net.Conn) {
			_ = other.Close()
			if _, err := c.Read(make([]byte, 4096)); err == nil {
				t.Error("no end")
			}
			_ = c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, other := pair(t)
			first := request(c)
			if _, err := io.WriteString(c, "first"); err != nil {
				t.Fatal(err)
			}
			first.answered.Store(true)
			if _, err := io.ReadFull(other, make([]byte, len("first"))); err != nil {
				t.Fatal(err)
			}
			second := request(c)
			wrote := make(chan error)
			go func() {
				_, err := io.WriteString(c, "second")
				wrote <- err
			}()
			select { // without the rule it is written at once; a busy machine may not show it, and then all is as wanted
			case err := <-wrote:
				t.Fatalf("written before anything was known: %v", err)
			case <-time.After(50 * time.Millisecond):
			}
			during(t, c, other)
			if err := <-wrote; err == nil || !second.withdraw() {
				t.Errorf("the second request was written: %v", err)
			}
		})
	}
}

// What waits in the kernel is seen, also while a read is about to take it.
func TestWhatWaitsIsSeen(t *testing.T) {
	c, other := pair(t)
	if pending(c.raw) {
		t.Error("something waits on a new connection")
	}
	if _, err := other.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := waitReadable(c.raw); err != nil {
		t.Fatal(err)
	}
	if !pending(c.raw) {
		t.Error("a byte waits and is not seen")
	}
}

// waitReadable returns when something can be read. It asks the kernel and not Go's poller, which reports only what
// arrives after it was asked.
func waitReadable(c *net.TCPConn) error {
	return control(c, func(fd int) error {
		fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds[:], -1); err != unix.EINTR {
				return err
			}
		}
	})
}
