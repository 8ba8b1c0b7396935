package ingress

import (
	"container/list"
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// The reasons for which a connection is closed, see [CounterConnectionsClosed].
const (
	ClosedAddress = "address" // its address has too many
	ClosedIdle    = "idle"    // it was not used, and another needed its place
)

// Connections is a listener that bounds open connections: all together, and those of one address. Where there are as
// many as may be, one that is not used gives its place to the next, and where all are used the next has to wait.
// So no client shuts others out with connections that do nothing. Give State to the http.Server that serves it.
type Connections struct {
	net.Listener
	most, perAddress int
	proxies          []netip.Prefix
	closes           metric.Int64Counter

	mu     sync.Mutex
	freed  *sync.Cond // a place, or the listener is closed
	open   map[*connection]bool
	by     map[netip.Addr]int
	unused *list.List // of *connection, those that are unused for longest first
	closed bool
}

// LimitConnections returns a listener with at most so many open connections. The connections of proxies, which speak
// for many, are not counted by their address.
func LimitConnections(l net.Listener, most, perAddress int, proxies []netip.Prefix) (*Connections, error) {
	closes, err := otel.Meter(MeterName).Int64Counter(CounterConnectionsClosed, metric.WithDescription("Connections closed because there were too many"))
	if err != nil {
		return nil, err
	}
	for _, reason := range []string{ClosedAddress, ClosedIdle} { // shown from the start, as nothing
		closes.Add(context.Background(), 0, metric.WithAttributes(attribute.String(AttributeReason, reason)))
	}
	c := &Connections{
		Listener: l, most: most, perAddress: perAddress, proxies: proxies, closes: closes,
		open: map[*connection]bool{}, by: map[netip.Addr]int{}, unused: list.New(),
	}
	c.freed = sync.NewCond(&c.mu)
	return c, nil
}

// connection is one that is counted.
type connection struct {
	net.Conn
	owner   *Connections
	address netip.Addr    // zero for a proxy
	unused  *list.Element // nil while it is used
	once    sync.Once
	err     error
}

// Accept returns the next connection that may be open.
func (c *Connections) Accept() (net.Conn, error) {
	for {
		accepted, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		one := &connection{Conn: accepted, owner: c}
		if address, known := parseAddress(accepted.RemoteAddr().String()); known && !contains(c.proxies, address) {
			one.address = neighbours(address)
		}
		switch admitted, why := c.admit(one); {
		case admitted:
			return one, nil
		case why == "":
			_ = accepted.Close()
			return nil, net.ErrClosed
		default:
			c.count(why)
			_ = accepted.Close()
		}
	}
}

// admit gives a connection a place, or says why not; no reason when the listener was closed.
func (c *Connections) admit(one *connection) (admitted bool, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.closed {
		switch {
		case one.address.IsValid() && c.by[one.address] >= c.perAddress:
			return false, ClosedAddress
		case len(c.open) < c.most:
			c.open[one] = true
			if one.address.IsValid() {
				c.by[one.address]++
			}
			one.unused = c.unused.PushBack(one)
			return true, ""
		}
		if oldest := c.unused.Front(); oldest != nil {
			victim := oldest.Value.(*connection)
			c.mu.Unlock()
			c.count(ClosedIdle)
			_ = victim.Close()
			c.mu.Lock()
			continue
		}
		c.freed.Wait()
	}
	return false, ""
}

func (c *Connections) count(why string) {
	c.closes.Add(context.Background(), 1, metric.WithAttributes(attribute.String(AttributeReason, why)))
}

// State is the ConnState of the http.Server. A connection is unused until its first request and between two.
func (c *Connections) State(conn net.Conn, state http.ConnState) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	one, ok := conn.(*connection)
	if !ok || one.owner != c {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.open[one] {
		return
	}
	switch {
	case state == http.StateIdle && one.unused == nil:
		one.unused = c.unused.PushBack(one)
		c.freed.Signal() // a connection that waits for a place can have this one's
	case state == http.StateActive && one.unused != nil:
		c.unused.Remove(one.unused)
		one.unused = nil
	}
}

// Open returns how many connections are open.
func (c *Connections) Open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// Close ends Accept, also one that waits for a place.
func (c *Connections) Close() error {
	c.mu.Lock()
	c.closed = true
	c.freed.Broadcast()
	c.mu.Unlock()
	return c.Listener.Close()
}

// Close closes the connection and gives its place back.
func (one *connection) Close() error {
	one.once.Do(func() {
		one.err = one.Conn.Close()
		one.owner.gone(one)
	})
	return one.err
}

func (c *Connections) gone(one *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, one)
	if one.address.IsValid() {
		if c.by[one.address]--; c.by[one.address] <= 0 {
			delete(c.by, one.address)
		}
	}
	if one.unused != nil {
		c.unused.Remove(one.unused)
		one.unused = nil
	}
	c.freed.Signal()
}

// CloseWrite lets net/http end an answer while the client still sends its body.
func (one *connection) CloseWrite() error {
	if half, ok := one.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
