package jetstream_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/queue"
)

// taking runs ConsumeWebhooks for acme until the test ends.
func taking(t *testing.T, c *admin.Conn, slots int, handler queue.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.ConsumeWebhooks(ctx, "acme", slots, handler) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, ended, "the end of ConsumeWebhooks"); err != nil {
			t.Errorf("ConsumeWebhooks: %v", err)
		}
	})
}

func webhook(order, body string) events.Outgoing {
	return events.Outgoing{Subject: events.WebhookSubject(ref(order)), Header: events.Header{"ce-id": {"w-" + order}}, Data: []byte(body)}
}

// heldWebhooks counts the webhooks that the broker holds.
func heldWebhooks(t *testing.T, js njs.JetStream) int {
	t.Helper()
	stream, err := js.Stream(testContext(t), events.StreamWebhooks)
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(testContext(t), njs.WithSubjectFilter("webhook.waiting.>"))
	if err != nil {
		t.Fatal(err)
	}
	return len(info.State.Subjects)
}

// 10,000 webhooks of orders that the log does not know, with room for 200 in the consumer: they wait in the broker,
// and the webhook of a good order is worked at once. When their time has come, all come again.
func TestWaitingWebhooksDoNotHoldUpOthers(t *testing.T) {
	const unknown = 10_000
	server, _ := start(t)
	_, js := foreign(t, server.URL())
	cfg := testConfig()
	cfg.WebhookMaxAckPending = 200
	c := connect(t, server.URL(), cfg)
	good, back := make(chan struct{}, 1), atomic.Int64{}
	taking(t, c, 64, func(_ context.Context, m events.Message) queue.Verdict {
		switch {
		case strings.HasSuffix(m.Subject, ".good"):
			good <- struct{}{}
		case m.Header.Get(events.HeaderRequestedAt) != "":
			back.Add(1)
		default:
			return queue.ParkUntil(time.Now().Add(10 * time.Second))
		}
		return queue.Acknowledge()
	})
	var group errgroup.Group
	group.SetLimit(32)
	for n := range unknown {
		group.Go(func() error {
			return c.PublishWebhook(testContext(t), webhook(fmt.Sprintf("U-%d", n), "body"), fmt.Sprintf("u-%d", n))
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := c.PublishWebhook(testContext(t), webhook("good", "body"), "good"); err != nil {
		t.Fatal(err)
	}
	receive(t, good, "the webhook of a good order")
	eventually(t, "all were parked", func() bool { return c.Broker().Count.Parked.Load() == unknown })
	eventually(t, "all come again", func() bool { return back.Load() == unknown })
	eventually(t, "none waits", func() bool { return heldWebhooks(t, js) == 0 })
}

// A webhook that waits survives a restart, comes with its header and body, and is held once however often
// it was sent; another one of the same order is held beside it.
func TestAWaitingWebhookIsHeldOnceAndComesWhole(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	arrived := make(chan events.Message, 8)
	taking(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
		if m.Header.Get(events.HeaderRequestedAt) == "" {
			return queue.ParkUntil(time.Now().Add(10 * time.Second)) // they are counted before, and the server has stopped
		}
		arrived <- m
		return queue.Acknowledge()
	})
	for n, body := range []string{"paid", "paid", "paid", "refunded"} {
		if err := c.PublishWebhook(testContext(t), webhook("D-1", body), fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all were parked", func() bool { return c.Broker().Count.Parked.Load() == 4 })
	if n := heldWebhooks(t, js); n != 2 {
		t.Errorf("%d are held, want 2", n)
	}
	server.Restart()
	bodies := map[string]bool{}
	for range 2 {
		m := receive(t, arrived, "a webhook that waited")
		bodies[string(m.Data)] = true
		if m.Subject != "webhook.received.acme.D-1" || m.Header.Get("ce-id") != "w-D-1" || m.Deliveries != 1 {
			t.Errorf("it came as %+v", m)
		}
	}
	if !bodies["paid"] || !bodies["refunded"] {
		t.Errorf("bodies: %v", bodies)
	}
}
