package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"payonce/pkg/events"
)

// ErrServerTooOld says that the server does not know scheduled messages.
var ErrServerTooOld = errors.New("nats-server is too old")

// ServerVersion is the version of the server that answers, e.g. "2.12.1".
func (c *Conn) ServerVersion() string { return c.nc.ConnectedServerVersion() }

// ServerTime returns the time of the server that leads PAYMENTS, of some moment during the call. It is an error when
// the stream is not there.
func (c *Conn) ServerTime(ctx context.Context) (at time.Time, err error) {
	err = c.ask(ctx, func(ctx context.Context) error {
		stream, err := c.js.Stream(ctx, events.StreamPayments)
		if err != nil {
			return err
		}
		at = stream.CachedInfo().TimeStamp
		return nil
	})
	if err == nil && at.IsZero() {
		err = errors.New("its answer has no time")
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("ask NATS for the time: %w", err)
	}
	return at, nil
}
