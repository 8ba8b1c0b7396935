package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/nats-io/nats.go"
)

// errNotMade says that a stream or consumer could not be made or changed. A user without the right gets no answer, as from a
// broker that is away, so this is never taken for an outage.
var errNotMade = errors.New("does this user have the permission? run payctl streams apply as administrator")

// Away reports whether an error of [Connect] or of [Conn.EnsureStreams] can end by itself: no server is there, its name is not
// known yet, or the cluster elects a leader. A login that is refused, a certificate that is not trusted, a server that is too
// old and streams with another definition stay as they are until a person acts.
func Away(err error) bool {
	var network *net.OpError
	var lookup *net.DNSError
	switch {
	case errors.Is(err, errNotMade) || errors.Is(err, nats.ErrPermissionViolation) || errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired):
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
	return notReady(err)
}

// denied adds to an error that the server refused this user something, if it did: what was asked then had no answer.
func (c *Conn) denied(err error) error {
	if last := c.nc.LastError(); errors.Is(last, nats.ErrPermissionViolation) {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}
