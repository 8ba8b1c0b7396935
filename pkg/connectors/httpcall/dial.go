package httpcall

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// dialer makes the connections of a client.
type dialer struct {
	tcp     net.Dialer
	tls     *tls.Config
	timeout time.Duration // of the TLS handshake
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := d.raw(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return newConn(raw, raw), nil
}

// dialTLS does the handshake itself, so that our connection lies above TLS and sees the bytes of HTTP.
func (d *dialer) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := d.raw(ctx, network, address)
	if err != nil {
		return nil, err
	}
	config := d.tls.Clone()
	if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
		_ = raw.Close()
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	secured := tls.Client(raw, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, &handshakeError{err}
	}
	return newConn(secured, raw), nil
}

// raw makes the TCP connection. What is written to it dies with it, also when the process is killed: the kernel
// sends a reset instead of going on to deliver.
func (d *dialer) raw(ctx context.Context, network, address string) (*net.TCPConn, error) {
	if out := outgoingOf(ctx); out != nil {
		out.dialed.Store(true)
	}
	c, err := d.tcp.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	raw := c.(*net.TCPConn) // the transport asks for "tcp" only
	if err := raw.SetLinger(0); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return raw, nil
}
