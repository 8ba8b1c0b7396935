package jetstream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/queue"
	"payonce/test/natstest"
)

// A command or webhook with a header that orders the broker about becomes a dead letter with the reason, and no handler
// sees it. What the broker held for us is no such message.
func TestHostileHeadersAreNotObeyed(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	c := connect(t, server.URL(), testConfig())
	_, js := foreign(t, server.URL())
	hostile := []struct {
		subject string
		header  []string
	}{
		{"deposit.requested.acme.H-0", []string{"Nats-Rollup", "sub"}},
		{"payout.requested.acme.H-1", []string{"nats-rollup", "sub"}},
		{"deposit.requested.acme.H-2", []string{"Nats-Schedule-Target", "deposit.requested.acme.X"}},
		{"deposit.requested.acme.H-3", []string{"Nats-Scheduler", "parked.acme.OTHER", "Nats-Schedule-Next", "purge"}},
		{"deposit.requested.acme.H-4", []string{"Nats-Scheduler", "deposit.requested.acme.H-0", "Nats-Schedule-Next", "purge"}},
		{"clarification.requested.acme.H-5", []string{"Nats-Rollup", "sub"}},
		{"webhook.received.acme.H-6", []string{"Nats-Rollup", "sub"}},
	}
	seen := make(chan events.Message, 16)
	handler := func(_ context.Context, m events.Message) queue.Verdict {
		seen <- m
		return queue.Acknowledge()
	}
	for i, h := range hostile {
		msg := &nats.Msg{Subject: h.subject, Header: nats.Header{}, Data: fmt.Appendf(nil, `{"n":%d}`, i)}
		for j := 0; j < len(h.header); j += 2 {
			msg.Header[h.header[j]] = []string{h.header[j+1]}
		}
		if _, err := js.PublishMsg(testContext(t), msg, njs.WithRetryAttempts(0)); err != nil {
			if i == 4 { // a newer server refuses to purge what is no schedule; then nothing was stored either
				continue
			}
			t.Fatalf("%v: %v", h, err)
		}
	}
	if _, err := js.Publish(testContext(t), "deposit.requested.acme.GOOD", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- c.ConsumeCommands(ctx, "acme", 4, handler) }()
	go func() { done <- c.ConsumeWebhooks(ctx, "acme", 4, handler) }()
	defer func() { cancel(); <-done; <-done }()
	if m := receive(t, seen, "the good one"); m.Subject != "deposit.requested.acme.GOOD" {
		t.Errorf("a handler saw %s", m.Subject)
	}
	eventually(t, "dead letters", func() bool {
		deadLetters, err := c.DeadLetters(testContext(t), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, l := range deadLetters {
			if l.Reason == events.DeadHostile && strings.Contains(strings.ToLower(l.Detail), "nats-") {
				n++
			}
		}
		return n >= len(hostile)-1 && messages(t, js, events.StreamCommands) == 0
	})
	select {
	case m := <-seen:
		t.Errorf("a handler saw %s", m.Subject)
	default:
	}
}
