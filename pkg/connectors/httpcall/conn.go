package httpcall

import (
	"errors"
	"net"
	"sync"
)

// conn is a connection to a provider. It asks each request whether it may leave before its first byte is
// written, notices bytes that no request asked for, and ends with a reset while a request waits for its answer:
// what the kernel has not delivered by then is thrown away.
type conn struct {
	net.Conn
	raw *net.TCPConn

	mu      sync.Mutex
	changed sync.Cond // something below was changed
	request *outgoing // the last one
	reading bool      // a read waits: whatever was read before has been used
	closed  bool
	surplus bool // bytes came that belong to no request
}

var (
	errSurplus = errors.New("the server sent more than its answer")
	errClosing = errors.New("the server closed the connection, or sent more than its answer")
)

// newConn returns the connection over a TCP connection; visible is raw, or TLS over it.
func newConn(visible net.Conn, raw *net.TCPConn) *conn {
	c := &conn{Conn: visible, raw: raw}
	c.changed.L = &c.mu
	return c
}

// take makes o the request of this connection. It reports whether there was one before.
func (c *conn) take(o *outgoing) (reused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reused = c.request != nil
	c.request = o
	return reused
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	o := c.request
	c.mu.Unlock()
	if o != nil { // nil: the caller uses the client's transport without Send
		if err := o.leave(c); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}

// Read implements [net.Conn]. Go's transport reads ahead all the time. Bytes that come while no request waits for
// an answer belong to none, and the connection is not used any more.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	c.reading = true
	c.changed.Broadcast()
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if o := c.request; n > 0 && o != nil && (!o.hasLeft() || o.answered.Load()) {
		c.surplus = true
	}
	if c.surplus {
		c.changed.Broadcast()
		return 0, errSurplus
	}
	return n, err
}

// quiet returns nil once everything that was received before has been used and nothing waits: then the next
// bytes can only be an answer to what is written next, or a late second answer; the two cannot be told apart.
func (c *conn) quiet() error {
	c.mu.Lock()
	for !c.reading && !c.closed && !c.surplus {
		c.changed.Wait()
	}
	closed, surplus := c.closed, c.surplus
	c.mu.Unlock()
	switch {
	case surplus:
		return errSurplus
	case closed:
		return net.ErrClosed
	case pending(c.raw):
		return errClosing
	}
	return nil
}

// Close implements [net.Conn].
func (c *conn) Close() error {
	c.mu.Lock()
	o := c.request
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	if o != nil && o.hasLeft() && !o.answered.Load() {
		return c.raw.Close() // with the linger of the dialer: a reset, and no word of TLS before it
	}
	_ = c.raw.SetLinger(-1) // at worst this end is a reset, too
	return c.Conn.Close()
}
