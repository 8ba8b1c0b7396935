package httpcall

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// Options of [NewClient]. The zero value is fit for production.
type Options struct {
	// RootCAs that sign the provider's certificate; nil takes the system's.
	RootCAs *x509.CertPool
	// IdleConnections kept to one host; 0 takes [DefaultIdleConnections].
	IdleConnections int
	// IdleTimeout is how long an unused connection is kept; 0 takes [DefaultIdleTimeout].
	IdleTimeout time.Duration
	// DialTimeout bounds the TCP connect and, once more, the TLS handshake; 0 takes [DefaultDialTimeout].
	DialTimeout time.Duration
}

// Defaults of [Options].
const (
	// DefaultIdleConnections lets many workers of one process keep their connection: Go's own default
	// of two would open a connection, with a TLS handshake, for nearly every call.
	DefaultIdleConnections = 256
	// DefaultIdleTimeout is below the 60 s after which common servers close: a connection that the
	// server closes while we write to it puts a payment in doubt.
	DefaultIdleTimeout = 30 * time.Second
	DefaultDialTimeout = 10 * time.Second
)

// maxReplyHeader bounds the header of a reply, in bytes.
const maxReplyHeader = 64 << 10

// bufferSize is that of each of a connection's two buffers, in bytes. A request and its answer have less; larger ones take
// another system call. Go's 4 KiB were a third of a worker's heap with 1,024 calls in flight.
const bufferSize = 2 << 10

// NewClient returns a client for [Send], safe for concurrent use. It speaks HTTP/1.1 only, because
// there one connection carries one request and the proof "nothing was written" holds; TLS is at least
// 1.2; no proxy is taken from the environment; replies are not decompressed. It has no time limit of
// its own for the answer: the deadline of each call decides.
func NewClient(o Options) *http.Client {
	if o.IdleConnections == 0 {
		o.IdleConnections = DefaultIdleConnections
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = DefaultIdleTimeout
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = DefaultDialTimeout
	}
	d := &dialer{
		tcp: net.Dialer{Timeout: o.DialTimeout}, timeout: o.DialTimeout,
		tls: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, NextProtos: []string{"http/1.1"}},
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	kept := &http.Transport{
		Protocols:              protocols,
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		MaxIdleConns:           0, // one client may serve several hosts; each has its own limit
		MaxIdleConnsPerHost:    o.IdleConnections,
		IdleConnTimeout:        o.IdleTimeout,
		MaxResponseHeaderBytes: maxReplyHeader,
		DisableCompression:     true,
		ReadBufferSize:         bufferSize,
		WriteBufferSize:        bufferSize,
	}
	single := kept.Clone()
	single.MaxIdleConnsPerHost = -1 // keeps none; unlike DisableKeepAlives it adds no header to the request
	return &http.Client{Transport: &transport{Transport: kept, single: single}}
}

// transport is what the proof of [Send] holds for: all its connections are made by our dialer.
type transport struct {
	*http.Transport
	single *http.Transport // a connection for each request
}

// provable returns the client's transport if the proof of Send holds for it.
func provable(client *http.Client) (*transport, bool) {
	if client == nil {
		return nil, false
	}
	t, ok := client.Transport.(*transport)
	return t, ok && t != nil
}
