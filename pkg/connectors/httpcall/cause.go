package httpcall

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

// handshakeError is an error of a TLS handshake. Without it, it could not be told from an error of a request.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "TLS handshake: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// plain describes a failure of the network without anything of the request or the reply. It begins with what a person checks
// next: DNS, TLS, connection refused, timed out. It is shown as the reason of a payment.
func plain(err error) string {
	var (
		dns       *net.DNSError
		handshake *handshakeError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.As(err, &dns):
		return "DNS: " + plainDNS(dns)
	case errors.As(err, &handshake):
		return "TLS: " + plainTLS(handshake.err)
	}
	return plainTCP(err)
}

func plainDNS(err *net.DNSError) string {
	switch {
	case err.IsNotFound:
		return "no such host name"
	case err.IsTimeout:
		return "timed out"
	}
	return "the host name cannot be resolved"
}

// plainTLS describes a failed handshake. It does not use the texts of crypto/x509, which contain names of the certificate.
func plainTLS(err error) string {
	var (
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		cert    *tls.CertificateVerificationError
		alert   tls.AlertError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return "the certificate is of an unknown authority"
	case errors.As(err, &host):
		return "the certificate is for another host name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet"
	case errors.As(err, &cert):
		return "the certificate is not trusted"
	case errors.As(err, &alert):
		return alert.Error()
	case errors.As(err, &record):
		return "the server does not speak TLS"
	}
	return "handshake: " + plainTCP(err)
}

func plainTCP(err error) string {
	var (
		op      *net.OpError
		errno   syscall.Errno
		timeout net.Error
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case errors.As(err, &op) && errors.As(err, &errno):
		if op.Op == "dial" {
			return errno.Error() // "connection refused", "no route to host"
		}
		return op.Op + ": " + errno.Error()
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the server closed the connection"
	}
	return "the connection failed"
}
