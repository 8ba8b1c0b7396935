package redistest

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy is between a client and a server and can lose a reply: the request reaches the server, the
// answer does not reach the client. It is safe for concurrent use.
type Proxy struct {
	listener net.Listener
	target   string

	mutex   sync.Mutex
	loses   string // requests with this text lose their reply; empty for none
	lost    int
	conns   map[net.Conn]struct{}
	closed  bool
	running sync.WaitGroup
}

// StartProxy listens on the loopback for connections to target, and stops when the test ends.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, target: target, conns: make(map[net.Conn]struct{})}
	p.running.Go(p.accept)
	t.Cleanup(p.stop)
	return p
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// LoseReply makes the next request that holds the text lose its reply: the proxy waits until the
// server has answered, and then closes the client's connection instead. A request is looked at as it
// comes in one read, so it must be small and sent at once, as Redis clients do.
func (p *Proxy) LoseReply(text string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.loses = text
}

// Lost counts the replies that were lost.
func (p *Proxy) Lost() int {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.lost
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !p.keep(client, server) {
			return
		}
		// The text is noticed before the request goes on, so before its reply can come.
		lose := make(chan struct{}, 1)
		p.running.Go(func() { p.requests(client, server, lose) })
		p.running.Go(func() { p.replies(client, server, lose) })
	}
}

func (p *Proxy) requests(client, server net.Conn, lose chan<- struct{}) {
	defer p.drop(client, server)
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if p.takeLoss(string(buffer[:n])) {
			lose <- struct{}{}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) replies(client, server net.Conn, lose <-chan struct{}) {
	defer p.drop(client, server)
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		select {
		case <-lose:
			return
		default:
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) takeLoss(request string) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.loses == "" || !strings.Contains(request, p.loses) {
		return false
	}
	p.loses = ""
	p.lost++
	return true
}

// keep remembers connections, so that stop can close them.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, conn := range conns {
		if p.closed {
			_ = conn.Close()
			continue
		}
		p.conns[conn] = struct{}{}
	}
	return !p.closed
}

func (p *Proxy) drop(conns ...net.Conn) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, conn := range conns {
		_ = conn.Close()
		delete(p.conns, conn)
	}
}

func (p *Proxy) stop() {
	_ = p.listener.Close()
	p.mutex.Lock()
	p.closed = true
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mutex.Unlock()
	p.running.Wait()
}
