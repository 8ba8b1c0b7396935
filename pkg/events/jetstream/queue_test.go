package jetstream_test

import (
	"errors"
	"fmt"
	"testing"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/natstest"
)

func TestPublishCommandOncePerOrder(t *testing.T) {
	_, c := start(t)
	ctx, r := testContext(t), ref("D-1")
	if _, err := c.QueuedCommand(ctx, r); !errors.Is(err, events.ErrNotQueued) {
		t.Fatalf("before: %v", err)
	}
	publish(t, c, r)
	again := command(r, "another body")
	again.Subject = events.CommandSubject(payment.Payout, r)
	if err := c.PublishCommand(ctx, again); !errors.Is(err, events.ErrQueued) {
		t.Fatalf("a second command: %v", err)
	}
	publish(t, c, ref("D-2"))
	m, err := c.QueuedCommand(ctx, r)
	if err != nil || string(m.Data) != "body of D-1" || m.Header.Get("x-upstream") != "kept" || m.StoredAt.IsZero() {
		t.Fatalf("queued: %+v, %v", m, err)
	}
	for _, subject := range []string{"deposit.requested", "parked.acme.D-3", "deposit.requested.acme.*", "payment.settled.acme.D-3"} {
		if err := c.PublishCommand(ctx, events.Outgoing{Subject: subject}); err == nil || errors.Is(err, events.ErrQueued) {
			t.Errorf("%s: %v", subject, err)
		}
	}
	if _, err := c.QueuedCommand(ctx, payment.Ref{Provider: "acme", Order: ">"}); err == nil || errors.Is(err, events.ErrNotQueued) {
		t.Errorf("a read with a wildcard: %v", err)
	}
}

func TestPublishCommandAfterTheFirstIsDone(t *testing.T) {
	_, c := start(t)
	r := ref("D-1")
	handled := make(chan struct{}, 10)
	consuming(t, c, 1, doneAfter(handled))
	publish(t, c, r)
	receive(t, handled, "the first command")
	eventually(t, "the second command is taken", func() bool { return c.PublishCommand(testContext(t), command(r, "2")) == nil })
	receive(t, handled, "the second command")
}

func TestPublishWithLostAcknowledgement(t *testing.T) {
	for _, hangUp := range []bool{false, true} {
		t.Run(fmt.Sprintf("connection lost too %v", hangUp), func(t *testing.T) {
			t.Parallel()
			server := natstest.Start(t)
			between := startProxy(t, server.Addr())
			c := connect(t, between.url(), testConfig())
			_, js := foreign(t, server.URL())
			between.hangUp.Store(hangUp)
			between.lose.Store(1)
			publish(t, c, ref("D-1"))
			between.lose.Store(1)
			webhook := events.Outgoing{Subject: events.WebhookSubject(ref("D-1")), Data: []byte("{}")}
			if err := c.PublishWebhook(testContext(t), webhook, "hash-1"); err != nil {
				t.Fatal(err)
			}
			if between.lost.Load() != 2 {
				t.Fatal("the proxy did not lose both: the test proves nothing")
			}
			for _, stream := range []string{events.StreamCommands, events.StreamWebhooks} {
				if n := messages(t, js, stream); n != 1 {
					t.Errorf("%s has %d messages, want 1", stream, n)
				}
			}
		})
	}
}

// The acknowledgement of a command is lost and the command is worked before it is published again.
func TestPublishCommandThatWasWorkedMeanwhile(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	between := startProxy(t, server.Addr())
	late, worker := connect(t, between.url(), testConfig()), connect(t, server.URL(), testConfig())
	_, js := foreign(t, server.URL())
	handled := make(chan struct{}, 10)
	consuming(t, worker, 1, doneAfter(handled))
	release := between.hold("deposit.requested.acme.D-1")
	between.lose.Store(1)
	result := make(chan error, 1)
	go func() { result <- late.PublishCommand(testContext(t), command(ref("D-1"), "1")) }()
	receive(t, handled, "the command")
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	eventually(t, "the acknowledgement is lost", func() bool { return between.lost.Load() == 1 })
	release()
	if err := receive(t, result, "the publish"); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(testContext(t), events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.LastSeq; n != 1 {
		t.Errorf("the command was queued %d times", n)
	}
}

func TestPublishWebhookOncePerID(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	out := events.Outgoing{Subject: events.WebhookSubject(ref("D-1")), Data: []byte("{}")}
	for _, id := range []string{"1", "2", "1"} {
		if err := c.PublishWebhook(testContext(t), out, id); err != nil {
			t.Fatal(err)
		}
	}
	if n := messages(t, js, events.StreamWebhooks); n != 2 {
		t.Errorf("%d webhooks, want 2", n)
	}
	if err := c.PublishWebhook(testContext(t), out, ""); err == nil {
		t.Error("a webhook without an id was taken")
	}
	out.Data = make([]byte, 600<<10)
	if err := c.PublishWebhook(testContext(t), out, "3"); err == nil {
		t.Error("a webhook beyond the limit was taken")
	}
}
