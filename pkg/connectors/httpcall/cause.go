package httpcall

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
)

// cause keeps the original error for errors.Is and errors.As and prints only what plain says, because
// net/http quotes pieces of a malformed reply in its errors.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.err }

// plain describes a failure of the network in words that hold nothing of the request or the reply.
func plain(err error) string {
	var (
		dns     *net.DNSError
		op      *net.OpError
		errno   syscall.Errno
		cert    *tls.CertificateVerificationError
		alert   tls.AlertError
		record  tls.RecordHeaderError
		timeout net.Error
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out: the deadline passed"
	case errors.As(err, &dns):
		return "DNS: the host name cannot be resolved"
	case errors.As(err, &cert):
		return "TLS: the certificate is not trusted: " + cert.Err.Error()
	case errors.As(err, &alert):
		return "TLS: " + alert.Error()
	case errors.As(err, &record):
		return "TLS: the server does not speak TLS"
	case errors.As(err, &op) && errors.As(err, &errno):
		return op.Op + ": " + errno.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the server closed the connection"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	default:
		return "the connection failed"
	}
}
