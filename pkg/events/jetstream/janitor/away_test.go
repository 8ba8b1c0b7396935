package janitor_test

import (
	"context"
	"errors"
	"testing"

	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/janitor"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
)

// What cannot be looked at is an error, and never an empty queue.
func TestJanitorsSayThatTheyCannotLook(t *testing.T) {
	server, c := jetstreamtest.Start(t)
	jetstreamtest.Publish(t, c, payment.Ref{Provider: "nobody", Order: "S-1"})
	j := janitor.New(c.Conn)
	late, cancel := context.WithCancel(t.Context())
	cancel()
	look := func(ctx context.Context, when string) {
		if n, err := j.SweepOrphans(ctx); err == nil || n != 0 {
			t.Errorf("%s: %d orphans, %v", when, n, err)
		}
		if n, err := j.RescueUndelivered(ctx); err == nil || n != 0 {
			t.Errorf("%s: %d undelivered, %v", when, n, err)
		}
	}
	look(late, "out of time")
	server.Stop()
	if err := c.Close(); err != nil {
		t.Log(err) // nothing was to be acknowledged
	}
	look(t.Context(), "closed")
	if err := j.WatchAdvisories(t.Context()); !errors.Is(err, jetstream.ErrClosed) {
		t.Errorf("watching a closed connection: %v", err)
	}
}
