package jetstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"payonce/pkg/queue"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/test/natstest"
)

// What is too big to be worked takes little room as a dead letter, whether its body or its headers are big, and says so. What
// could be worked once the cause is removed is kept whole.
func TestDeadLettersAreTruncated(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.Upstreams = []string{"shop"}
	c := connect(t, server.URL(), cfg)
	_, js := foreign(t, server.URL())
	headers := func(n, size int) nats.Header {
		h := nats.Header{"ce-id": {"1"}, "Payonce-Dead-Truncated": {"12"}}
		for i := range n {
			h.Set(fmt.Sprintf("X-Header-%d", i), strings.Repeat("x", size))
		}
		return h
	}
	for name, m := range map[string]struct {
		subject   string
		header    nats.Header
		size      int
		truncated bool
	}{
		"largest command": {"deposit.requested.acme.", headers(3, 1000), events.MaxCommandBytes, false},
		"too big":         {"deposit.requested.acme.", headers(3, 1000), events.MaxCommandBytes + 1, true},
		"as big as can be": {
			"deposit.requested.acme.", headers(0, 0), jetstream.MaxMessageBytes - 1000, true,
		},
		"long header":   {"deposit.requested.acme.", headers(1, 50_000), 10, true},
		"many headers":  {"deposit.requested.acme.", headers(400, 100), 10, true},
		"both":          {"payout.requested.acme.", headers(50, 1000), 200_000, true},
		"clarification": {"clarification.requested.acme.", headers(400, 100), 100_000, true},
		"of intake":     {events.IntakeSubject("shop", "deposit.requested.acme."), headers(0, 0), 400_000, true},
		"webhook":       {"webhook.received.acme.", headers(20, 1000), 200_000, false},
	} {
		t.Run(name, func(t *testing.T) {
			order := strings.ReplaceAll(name, " ", "-")
			body := bytes.Repeat([]byte("b"), m.size)
			if _, err := js.PublishMsg(testContext(t), &nats.Msg{Subject: m.subject + order, Header: m.header, Data: body}); err != nil {
				t.Fatal(err)
			}
			give := func(_ context.Context, m events.Message) queue.Verdict {
				return queue.DeadLetter(events.DeadTooBig, "too big")
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			switch {
			case strings.HasPrefix(m.subject, "webhook"):
				go func() { _ = c.ConsumeWebhooks(ctx, "acme", 1, give) }()
			case strings.HasPrefix(m.subject, "intake"):
				go func() { _ = c.ConsumeIntake(ctx, 1, give) }()
			default:
				go func() { _ = c.ConsumeCommands(ctx, "acme", 1, give) }()
			}
			var deadLetters []events.DeadLetter
			eventually(t, "a dead letter", func() bool {
				all, err := c.DeadLetters(testContext(t), 0, 100)
				deadLetters = all
				return err == nil && len(all) == 1
			})
			raw, err := js.Stream(testContext(t), events.StreamDeadLetters)
			if err != nil {
				t.Fatal(err)
			}
			l, size := deadLetters[0], raw.CachedInfo().State.Bytes
			if !m.truncated {
				if l.Truncated != 0 || !bytes.Equal(l.Message.Data, body) {
					t.Errorf("%d of %d bytes were kept, truncated %d", len(l.Message.Data), m.size, l.Truncated)
				}
			} else {
				if size > 40<<10 || l.Truncated < m.size || l.Message.Header.Get("ce-id") != "1" || !bytes.HasPrefix(body, l.Message.Data) || len(l.Message.Data) == 0 {
					t.Errorf("it takes %d bytes; truncated %d, %d bytes of the body, %d headers", size, l.Truncated, len(l.Message.Data), len(l.Message.Header))
				}
				if err := c.Replay(testContext(t), l.Sequence); !errors.Is(err, events.ErrTruncated) {
					t.Errorf("a part was replayed: %v", err)
				}
			}
			if err := c.DropDeadLetter(testContext(t), l.Sequence); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A full DEADLETTERS loses nothing: what becomes a dead letter stays in its stream, and is kept when there is room. The limit
// can be set on a stream that has more.
func TestFullDeadLettersLoseNothing(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.DeadLetterBytes = 4 << 20
	first := connect(t, server.URL(), cfg)
	_, js := foreign(t, server.URL())
	publish := func(n int) {
		for i := range n {
			data := bytes.Repeat([]byte("b"), events.MaxCommandBytes)
			if _, err := js.Publish(testContext(t), fmt.Sprintf("deposit.requested.acme.D-%d", i), data, njs.WithRetryAttempts(0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	dead := func() uint64 { return messages(t, js, events.StreamDeadLetters) }
	give := func(_ context.Context, m events.Message) queue.Verdict {
		return queue.DeadLetter(events.DeadInvalid, "no")
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _ = first.ConsumeCommands(ctx, "acme", 4, give) }()
	publish(30)
	eventually(t, "30 dead letters", func() bool { return dead() == 30 })
	cancel()

	cfg.DeadLetterBytes = events.MinDeadLetterBytes
	second := reconnect(t, server.URL(), cfg)
	if done, err := second.ApplyStreams(testContext(t), true); err != nil || len(done) != 1 {
		t.Fatalf("%v, %v", done, err)
	}
	if n := dead(); n != 30 {
		t.Fatalf("the limit dropped dead letters: %d are left", n)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = second.ConsumeCommands(ctx, "acme", 4, give) }()
	publish(10)
	eventually(t, "they are tried again", func() bool { return second.Broker().Count.PublishRetries.Load() > 5 })
	if n := messages(t, js, events.StreamCommands); n != 10 || dead() != 30 {
		t.Fatalf("%d commands and %d dead letters", n, dead())
	}
	for seq := uint64(1); seq <= 30; seq++ {
		if err := second.DropDeadLetter(testContext(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all are dead letters", func() bool { return messages(t, js, events.StreamCommands) == 0 && dead() == 10 })
}
