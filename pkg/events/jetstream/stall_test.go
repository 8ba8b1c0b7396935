package jetstream_test

import (
	"context"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/queue"
	"payonce/test/natstest"
)

func TestDeletedConsumerIsMadeAgain(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	handled := make(chan struct{}, 10)
	consuming(t, c, 2, doneAfter(handled))
	publish(t, c, ref("D-1"))
	receive(t, handled, "the first command")
	if err := js.DeleteConsumer(testContext(t), events.StreamCommands, "commands-acme"); err != nil {
		t.Fatal(err)
	}
	publish(t, c, ref("D-2"))
	receive(t, handled, "the second command")
	eventually(t, "the queue is empty", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	if s := &c.Broker().Count; s.Resubscribes.Load() == 0 {
		t.Errorf("stats %+v", s)
	}
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
}

func TestConsumeGoesOnAfterARestart(t *testing.T) {
	server, c := start(t)
	handled := make(chan struct{}, 10)
	consuming(t, c, 2, doneAfter(handled))
	publish(t, c, ref("D-1"))
	receive(t, handled, "the first command")
	server.Restart()
	publish(t, c, ref("D-2"))
	receive(t, handled, "the second command")
}

func TestConsumerOfALostStreamIsNotReady(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	handled := make(chan struct{}, 10)
	consuming(t, c, 2, doneAfter(handled))
	publish(t, c, ref("D-1"))
	receive(t, handled, "the first command")
	if err := js.DeleteStream(testContext(t), events.StreamCommands); err != nil {
		t.Fatal(err)
	}
	eventually(t, "not ready", func() bool { return c.Ready() != nil })
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	publish(t, c, ref("D-2"))
	receive(t, handled, "the second command")
	eventually(t, "ready again", func() bool { return c.Ready() == nil })
}

// One worker holds all that may be in work, so the other is given nothing though messages wait: what a
// stalled consumer looks like.
func TestStallIsNoticed(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.MaxAckPending, cfg.StallAfter = 1, 200*time.Millisecond
	first, second := connect(t, server.URL(), cfg), connect(t, server.URL(), cfg)
	release, handled := make(chan struct{}), make(chan struct{}, 10)
	handler := func(context.Context, events.Message) queue.Verdict {
		<-release
		handled <- struct{}{}
		return queue.Acknowledge()
	}
	consuming(t, first, 1, handler)
	consuming(t, second, 1, handler)
	publish(t, first, ref("D-1"))
	publish(t, first, ref("D-2"))
	eventually(t, "the stall is noticed", func() bool {
		return first.Broker().Count.Stalls.Load() > 0 && first.Ready() != nil || second.Broker().Count.Stalls.Load() > 0 && second.Ready() != nil
	})
	close(release)
	receive(t, handled, "the first command")
	receive(t, handled, "the second command")
	eventually(t, "both are ready again", func() bool { return first.Ready() == nil && second.Ready() == nil })
}

// An operator pauses a consumer: messages wait at every look, and that is as it should be.
func TestPausedConsumerIsNoStall(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.StallAfter = 100 * time.Millisecond
	c := connect(t, server.URL(), cfg)
	nc, js := foreign(t, server.URL())
	handled := make(chan struct{}, 10)
	consuming(t, c, 1, doneAfter(handled))
	publish(t, c, ref("D-1"))
	receive(t, handled, "the first command")
	stream, err := js.Stream(testContext(t), events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.PauseConsumer(testContext(t), "commands-acme", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	publish(t, c, ref("D-2"))
	looks, err := nc.SubscribeSync("$JS.API.CONSUMER.INFO.COMMANDS.commands-acme")
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // a look is judged before the next begins
		if _, err := looks.NextMsgWithContext(testContext(t)); err != nil {
			t.Fatalf("no look for a stall: %v", err)
		}
	}
	if s := &c.Broker().Count; s.Stalls.Load() != 0 || c.Ready() != nil {
		t.Errorf("stats %+v, %v", s, c.Ready())
	}
	if _, err := stream.ResumeConsumer(testContext(t), "commands-acme"); err != nil {
		t.Fatal(err)
	}
	receive(t, handled, "the command after the pause")
}
