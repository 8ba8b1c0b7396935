package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"
)

func TestDenialOf(t *testing.T) {
	for said, want := range map[string]string{
		`Permissions Violation for Publish to "parked.x"`:                              "NATS does not permit this user to publish to parked.x",
		`Permissions Violation for Subscription to "_INBOX.worker.a.*"`:                "NATS does not permit this user to subscribe to _INBOX.worker.a.*",
		`Permissions Violation for Subscription to "queued.*.*" using queue "workers"`: "NATS does not permit this user to subscribe to queued.*.* using queue workers",
		`something else`: "NATS does not permit this user what was asked",
	} {
		if got := DenialOf(fmt.Errorf("%w: %s", nats.ErrPermissionViolation, said)).String(); got != want {
			t.Errorf("%s: %s", said, got)
		}
	}
}

// A program that begins does not wait for an answer that the server has refused; later, when a refusal may be another's, it asks on.
func TestARefusalEndsTheQuestionsOfAStart(t *testing.T) {
	for _, start := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := New(t.Context(), slog.New(slog.DiscardHandler), time.Now)
			c.NATS = &nats.Conn{}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if start {
				ctx = AtStart(ctx)
			}
			go func() {
				time.Sleep(10 * time.Millisecond)
				c.NoteDenied(fmt.Errorf(`%w: Permissions Violation for Publish to "$JS.API.INFO"`, nats.ErrPermissionViolation))
			}()
			began := time.Now()
			err := c.Ask(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
			took := time.Since(began)
			if start && (took != 10*time.Millisecond || !errors.Is(err, ErrDenied) || err.Error() != "NATS does not permit this user to publish to $JS.API.INFO") {
				t.Errorf("after %s: %v", took, err)
			}
			if !start && (took != time.Minute || errors.Is(err, ErrDenied)) {
				t.Errorf("after %s: %v", took, err)
			}
		})
	}
}
