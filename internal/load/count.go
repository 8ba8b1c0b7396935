package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// stream is where accepted requests must stand.
type stream struct{ name, subjects string }

var (
	webhookStream = stream{events.StreamWebhooks, "webhook.received." + provider + "."}
	commandStream = stream{events.StreamCommands, "deposit.requested." + provider + "."}
)

// countTimeout bounds how long reading a stream may take.
const countTimeout = 5 * time.Minute

// finish adds to a result what the stream holds of it and what the ingress took. It asks the broker itself,
// and not with our own client.
func (s *system) finish(ctx context.Context, r result, from stream) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	conn, err := nats.Connect(s.natsURL)
	if err != nil {
		return r, fmt.Errorf("count: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return r, fmt.Errorf("count: %w", err)
	}
	held, err := js.Stream(ctx, from.name)
	if err != nil {
		return r, fmt.Errorf("count %s: %w", from.name, err)
	}
	info, err := held.Info(ctx, jetstream.WithSubjectFilter(from.subjects+"*"))
	if err != nil {
		return r, fmt.Errorf("count %s: %w", from.name, err)
	}
	r.stored = map[string]int{}
	for subject, messages := range info.State.Subjects {
		if order := subject[len(from.subjects):]; strings.HasPrefix(order, r.prefix) {
			r.stored[order] = int(messages)
		}
	}
	r.resident, err = s.memory()
	return r, err
}
