package jetstream

import (
	"context"
	"errors"
	"io"
	"net"

	"payonce/pkg/events/jetstream/internal/broker"

	"github.com/nats-io/nats.go"
)

// Away reports whether an error of [Connect] or of making the streams can end by itself: no server is there, its name is not
// known yet, or the cluster elects a leader. A login that is refused, a certificate that is not trusted, a server that is too
// old and streams with another definition stay as they are until a person acts.
func Away(err error) bool {
	var network *net.OpError
	var lookup *net.DNSError
	switch {
	case errors.Is(err, broker.ErrDenied) || errors.Is(err, broker.ErrNotMade) || errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired):
		return false
	case errors.As(err, &lookup):
		return true
	case errors.As(err, &network):
		return network.Op != "remote error" // a TLS alert: the server does not take our certificate
	}
	for _, away := range []error{nats.ErrNoServers, nats.ErrConnectionClosed, nats.ErrStaleConnection, io.EOF, io.ErrUnexpectedEOF, context.DeadlineExceeded} {
		if errors.Is(err, away) {
			return true
		}
	}
	return broker.NotReady(err)
}

// Denied reports whether an error is that the server does not permit something to this user.
func Denied(err error) bool { return errors.Is(err, broker.ErrDenied) }
