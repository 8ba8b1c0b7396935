package jetstream_test

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy is between a client and the server and can lose answers: acknowledgements of publishes, and messages
// that were asked for.
type proxy struct {
	t        *testing.T
	listener net.Listener
	target   string
	// lose is how many answers to lose; hangUp closes the connection with each.
	lose   atomic.Int32
	hangUp atomic.Bool
	lost   atomic.Int32
	gate   atomic.Pointer[gate]
	lie    atomic.Bool // the next acknowledgement becomes a refusal
	cutAt  atomic.Pointer[string]
	cuts   atomic.Int32
}

// gate is shut behind what holds a text.
type gate struct {
	text []byte
	open chan struct{}
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: listener, target: target}
	var conns sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); conns.Wait() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { p.serve(client) })
		}
	}()
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

// hold lets a text through to the server, and nothing after it until the returned function is called.
func (p *proxy) hold(text string) (release func()) {
	g := &gate{text: []byte(text), open: make(chan struct{})}
	release = sync.OnceFunc(func() { close(g.open) })
	p.t.Cleanup(release)
	p.gate.Store(g)
	return release
}

// cut ends the connection before a text of the client reaches the server, once.
func (p *proxy) cut(text string) { p.cutAt.Store(&text) }

func (p *proxy) wasCut() bool { return p.cuts.Load() == 1 }

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer server.Close()
	go p.forward(client, server)
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		answer := bytes.Contains(buffer[:n], []byte(`{"stream":"`)) || bytes.Contains(buffer[:n], []byte("\nNats-Stream: "))
		if answer && p.lose.Load() > 0 {
			p.lose.Add(-1)
			p.lost.Add(1)
			if p.hangUp.Load() {
				return
			}
			continue
		}
		if at := bytes.Index(buffer[:n], []byte(`{"stream":"`)); at >= 0 && p.lie.CompareAndSwap(true, false) {
			end := at + bytes.IndexByte(buffer[at:n], '}')
			copy(buffer[at:end+1], bytes.Repeat([]byte(" "), end+1-at)) // its length was told before
			copy(buffer[at:end+1], `{"error":{"code":400,"err_code":10071}}`)
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// forward passes on what the client sends, until one of them ends.
func (p *proxy) forward(client, server net.Conn) {
	defer server.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if text := p.cutAt.Load(); text != nil {
			if at := bytes.Index(buffer[:n], []byte(*text)); at >= 0 {
				p.cutAt.Store(nil)
				p.cuts.Add(1)
				_, _ = server.Write(buffer[:at])
				return
			}
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
		if g := p.gate.Load(); g != nil && bytes.Contains(buffer[:n], g.text) {
			<-g.open
		}
	}
}
