package connectortest

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// play is what the provider, or the network before it, does with a request. It returns whether the
// connection stays open.
type play func(conn net.Conn) (keep bool)

// provider is a TCP server that reads real requests and answers by plays.
type provider struct {
	listener net.Listener
	scheme   string
	// answer chooses the play. n counts the requests of a connection from 1.
	answer func(n int, r Received) play
	// greet, if there is one, gets each connection before anything is read, and then it is closed.
	greet play
	done  sync.WaitGroup

	mu          sync.Mutex
	received    []Received
	open        map[net.Conn]bool
	connections int
}

// serve starts a provider; it ends with the rule.
func (s *ruleTest) serve(answer func(n int, r Received) play) *provider {
	s.Helper()
	return s.start(&provider{listener: s.listen(), scheme: "http", answer: answer})
}

// greets starts a provider, with https in its address, that does nothing but greet connections.
func (s *ruleTest) greets(greet play) *provider {
	s.Helper()
	return s.start(&provider{listener: s.listen(), scheme: "https", greet: greet})
}

func (s *ruleTest) listen() net.Listener {
	s.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatalf("listen: %v", err)
	}
	return listener
}

func (s *ruleTest) start(p *provider) *provider {
	p.open = map[net.Conn]bool{}
	p.done.Go(p.accept)
	s.Cleanup(p.close)
	return p
}

// always answers each request with the same play.
func always(what play) func(int, Received) play {
	return func(int, Received) play { return what }
}

func (p *provider) url() string { return p.scheme + "://" + p.listener.Addr().String() }

func (p *provider) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for conn := range p.open {
		_ = conn.Close()
	}
	p.open = nil // a connection that comes now is closed at once
	p.mu.Unlock()
	p.done.Wait()
}

func (p *provider) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.connections++
		ended := p.open == nil
		if !ended {
			p.open[conn] = true
		}
		p.mu.Unlock()
		if ended {
			_ = conn.Close()
			continue
		}
		p.done.Go(func() {
			p.converse(conn)
			_ = conn.Close()
			p.mu.Lock()
			delete(p.open, conn)
			p.mu.Unlock()
		})
	}
}

func (p *provider) converse(conn net.Conn) {
	if p.greet != nil {
		p.greet(conn)
		return
	}
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(conn, &raw))
	for n := 1; ; n++ {
		raw.Reset()
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		head, _, _ := strings.Cut(raw.String(), "\r\n\r\n")
		got := Received{Method: r.Method, Target: r.RequestURI, Lines: strings.Split(head, "\r\n")[1:], Header: r.Header, Body: body}
		p.mu.Lock()
		p.received = append(p.received, got)
		p.mu.Unlock()
		if !p.answer(n, got)(conn) {
			return
		}
	}
}

// requests returns what has arrived.
func (p *provider) requests() []Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.received)
}

// dialed returns how many connections were made.
func (p *provider) dialed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connections
}

// send answers and keeps the connection.
func send(r Reply) play {
	return func(conn net.Conn) bool {
		_, err := io.WriteString(conn, head(r, len(r.Body))+r.Body)
		return err == nil
	}
}

func head(r Reply, length int) string {
	if r.Status == 0 {
		r.Status = http.StatusOK
	}
	text := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\n", r.Status, http.StatusText(r.Status), length)
	for name, value := range r.Header {
		text += name + ": " + value + "\r\n"
	}
	return text + "\r\n"
}

// half sends the header of a reply and half of its body, and then does something else.
func half(r Reply, then play) play {
	return func(conn net.Conn) bool {
		_, _ = io.WriteString(conn, head(r, len(r.Body))+r.Body[:len(r.Body)/2])
		return then(conn)
	}
}

// hangUp closes the connection in an orderly way.
func hangUp(net.Conn) bool { return false }

// reset ends the connection with RST.
func reset(conn net.Conn) bool {
	_ = conn.(*net.TCPConn).SetLinger(0)
	return false
}

// silence says nothing until the other side gives up, and reports when it begins.
func silence(begins func()) play {
	return func(conn net.Conn) bool {
		begins()
		_, _ = io.Copy(io.Discard, conn)
		return false
	}
}

// maxFlood bounds what an endless reply sends, in bytes.
const maxFlood = 64 << 20

// flood sends a reply and blanks behind it without end, and reports how many bytes were taken.
func flood(r Reply, taken func(bytes int)) play {
	return func(conn net.Conn) bool {
		blanks := bytes.Repeat([]byte(" "), 64<<10)
		_, _ = io.WriteString(conn, head(r, maxFlood+len(r.Body))+r.Body)
		sent := 0
		for sent < maxFlood {
			n, err := conn.Write(blanks)
			if sent += n; err != nil {
				break
			}
		}
		taken(sent)
		return false
	}
}

// serveTLS starts a provider with a certificate for 127.0.0.1, and returns who trusts it.
func (s *ruleTest) serveTLS(answer func(n int, r Received) play) (*provider, *x509.CertPool) {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatalf("key: %v", err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		s.Fatalf("certificate: %v", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		s.Fatalf("certificate: %v", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return s.start(&provider{listener: tls.NewListener(s.listen(), config), scheme: "https", answer: answer}), roots
}
