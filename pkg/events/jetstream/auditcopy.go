package jetstream

import (
	"context"
	"errors"
	"fmt"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// copyPrefix is the prefix of the JetStream API of the account for copies of AUDIT (deploy/nats/accounts.conf).
const copyPrefix = "COPY"

func copyStream(c Config) njs.StreamConfig {
	stream := baseStream(c, events.StreamAuditCopy, "Copy of AUDIT", "copy.*.*.*.*")
	stream.MaxAge, stream.DenyDelete, stream.DenyPurge = c.AuditRetention, true, true
	return stream
}

// MakeCopy makes the stream of copies, if it is missing and the server has an account for it, and returns what it made. One
// that is there is left: nobody may change it. Only the administrator has the right to.
func (c *Conn) MakeCopy(ctx context.Context) ([]Difference, error) {
	if !c.cfg.Accounts {
		return nil, nil
	}
	js, err := njs.NewWithAPIPrefix(c.nc, copyPrefix)
	if err != nil {
		return nil, err
	}
	want, made := copyStream(c.cfg), false
	err = c.ask(ctx, func(ctx context.Context) error {
		_, err := js.Stream(ctx, want.Name)
		if errors.Is(err, njs.ErrStreamNotFound) {
			_, err = js.CreateStream(ctx, want)
			made = err == nil
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create %s (%w): %w", want.Name, errNotMade, err)
	}
	if !made {
		return nil, nil
	}
	return []Difference{{Stream: want.Name}}, nil
}
