package jetstream

import (
	"errors"
	"log/slog"
	"net"
	"sync"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events/jetstream/internal/broker"
)

// disconnected is called by nats.go when the connection is lost, and when we close it.
func (c *Conn) disconnected(nc *nats.Conn, err error) {
	c.past.disconnected()
	c.outage.begin()
	switch {
	case nc.IsClosed():
		c.log.Info("NATS: connection closed")
	case err == nil: // the server is about to stop, and asked us to go
		c.log.Warn("NATS: disconnected")
	default:
		c.log.Warn("NATS: disconnected", "error", err)
	}
}

// reconnected is called by nats.go when the connection is there again.
func (c *Conn) reconnected(nc *nats.Conn) {
	c.log.Info("NATS: connected again", "server", nc.ConnectedServerName())
	c.broker.Count.Reconnects.Add(1)
	notify(c.past.look)
	c.broker.Reconnected.Send()
}

// reportError is called by nats.go with what no call returns.
func (c *Conn) reportError(err error, requiredUser string) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		c.log.Error("NATS: asynchronous error", "error", err)
		return
	}
	c.broker.NoteDenied(err)
	denied := broker.DenialOf(err)
	c.log.Error("permission denied by NATS", "action", denied.Action, "subject", denied.Subject, "next", NextDenied(requiredUser))
}

// NextDenied is what a person does about a permission that NATS refuses to a program that needs this user.
func NextDenied(requiredUser string) string {
	if requiredUser == "" {
		return "compare the user's permissions with deploy/nats/accounts.conf"
	}
	return "log in with the seed of " + requiredUser + " (nats.nkey_seed_file); if it is that user's, compare its permissions with deploy/nats/accounts.conf"
}

// outage says once for each cause why a lost connection cannot be made again.
type outage struct {
	mu   sync.Mutex
	said map[string]bool
}

func (o *outage) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = map[string]bool{}
}

func (o *outage) failed(log *slog.Logger, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if cause := causeOf(err); o.said != nil && !o.said[cause] {
		o.said[cause] = true
		log.Warn("NATS: cannot connect again; will retry", "error", err)
	}
}

// causeOf is an error's text without the port of our end, which is another each time.
func causeOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Addr != nil {
		return op.Op + " " + op.Addr.String() + ": " + op.Err.Error()
	}
	return err.Error()
}
