package main

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/test/natstest"
)

// stream is where accepted requests must be.
type stream struct{ name, subjects string }

var (
	webhookStream = stream{events.StreamWebhooks, "webhook.received." + provider + "."}
	commandStream = stream{events.StreamCommands, "deposit.requested." + provider + "."}
)

// countTimeout bounds how long reading a stream may take.
const countTimeout = 5 * time.Minute

// finish adds to a result what the stream holds of it and what the ingress took. It asks the broker itself,
// and not with our own client.
func (s *system) finish(ctx context.Context, r result, from stream) result {
	ctx, cancel := context.WithTimeout(ctx, countTimeout)
	defer cancel()
	held, err := natstest.JetStream(s.T, s.nats.URL).Stream(ctx, from.name)
	s.Must(err)
	info, err := held.Info(ctx, jetstream.WithSubjectFilter(from.subjects+"*"))
	s.Must(err)
	r.stored = map[string]int{}
	for subject, messages := range info.State.Subjects {
		if order := subject[len(from.subjects):]; strings.HasPrefix(order, r.prefix) {
			r.stored[order] = int(messages)
		}
	}
	kilobytes, err := s.ingress.Memory("VmHWM")
	s.Must(err)
	r.resident = int64(kilobytes) << 10
	return r
}
