package jetstream_test

import (
	"context"
	"testing"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
)

func watching(t *testing.T, c *jetstream.Conn) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.WatchAdvisories(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, ended, "the end of WatchAdvisories"); err != nil {
			t.Error(err)
		}
	})
}

// Somebody gives our consumer a limit of deliveries by hand.
func TestALimitOfDeliveriesLosesNothing(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	watching(t, c)
	watching(t, connect(t, server.URL(), testConfig())) // another worker
	arrivals := make(chan events.Message, 64)
	limited := make(chan struct{})
	consuming(t, c, 1, func(_ context.Context, m events.Message) events.Verdict {
		arrivals <- m
		if m.Header.Get(jetstream.HeaderReplayOf) != "" {
			return events.DoneVerdict()
		}
		<-limited
		return events.RetryVerdict(0)
	})
	publish(t, c, ref("D-1"))
	receive(t, arrivals, "the command")
	consumer, err := js.Consumer(testContext(t), events.StreamCommands, "commands-acme")
	if err != nil {
		t.Fatal(err)
	}
	changed := consumer.CachedInfo().Config
	changed.MaxDeliver = 2
	if _, err := js.UpdateConsumer(testContext(t), events.StreamCommands, changed); err != nil {
		t.Fatal(err)
	}
	close(limited)
	letter := onlyLetter(t, c)
	if letter.Reason != events.DeadMaxDeliveries || letter.Message.Subject != "deposit.requested.acme.D-1" ||
		string(letter.Message.Data) != "body of D-1" || letter.Message.Deliveries != 2 {
		t.Errorf("%+v", letter)
	}
	eventually(t, "it does not stand in the way", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	if err := c.Replay(testContext(t), letter.Sequence); err != nil {
		t.Fatal(err)
	}
	for again := receive(t, arrivals, "the replayed command"); again.Header.Get(jetstream.HeaderReplayOf) != "1"; {
		again = receive(t, arrivals, "the replayed command")
	}
}

// Our own terminations have their dead letter; one by hand gets it from the advisory, if it can.
func TestATerminationByHandIsKept(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	other := connect(t, server.URL(), testConfig())
	watching(t, c)
	watching(t, other)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.ConsumeWebhooks(ctx, "acme", 1, func(context.Context, events.Message) events.Verdict {
			return events.DeadVerdict(events.DeadBadWebhook, "")
		})
	}()
	hook := events.Outgoing{Subject: events.WebhookSubject(ref("D-1")), Data: []byte("hook")}
	if err := c.PublishWebhook(ctx, hook, "1"); err != nil {
		t.Fatal(err)
	}
	onlyLetter(t, c)
	cancel()
	if err := receive(t, ended, "the end"); err != nil {
		t.Fatal(err)
	}

	// Ours in the work queue cannot be read any more either, and is no alarm.
	stop := consuming(t, c, 1, func(context.Context, events.Message) events.Verdict {
		return events.DeadVerdict(events.DeadInvalid, "")
	})
	publish(t, c, ref("D-0"))
	eventually(t, "it is buried", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	stop()

	publish(t, c, ref("D-2"))
	terminateByHand(t, js, events.StreamCommands, "commands-acme", "*.requested.acme.*") // deleted by the broker at once
	hook.Subject = events.WebhookSubject(ref("D-3"))
	if err := c.PublishWebhook(testContext(t), hook, "3"); err != nil {
		t.Fatal(err)
	}
	terminateByHand(t, js, events.StreamWebhooks, "by-hand", "webhook.received.acme.D-3")
	var letters []jetstream.DeadLetter
	eventually(t, "the webhook is kept", func() bool {
		letters, _ = c.DeadLetters(testContext(t), 0, 10)
		return len(letters) == 3
	})
	eventually(t, "both by hand are counted, once", func() bool { return c.Stats().GivenUp+other.Stats().GivenUp == 2 })
	if l := letters[2]; l.Reason != events.DeadTerminated || l.Message.Subject != hook.Subject || string(l.Message.Data) != "hook" {
		t.Errorf("%+v", l)
	}
}

// The broker also reports what was deleted while a worker had it. In a cluster that follows many an
// ordinary acknowledgement, so it is no alarm.
func TestAMessageDeletedInWorkIsNoAlarm(t *testing.T) {
	server, c := start(t)
	nc, js := foreign(t, server.URL())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.WatchAdvisories(ctx) }()
	advice, err := nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>")
	if err != nil {
		t.Fatal(err)
	}
	arrived, deleted := make(chan events.Message, 8), make(chan struct{})
	consuming(t, c, 1, func(_ context.Context, m events.Message) events.Verdict {
		arrived <- m
		<-deleted
		return events.DoneVerdict()
	})
	publish(t, c, ref("D-1"))
	m := receive(t, arrived, "the command")
	stream, err := js.Stream(testContext(t), events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(testContext(t), m.Sequence); err != nil {
		t.Fatal(err)
	}
	if _, err := advice.NextMsg(patience); err != nil {
		t.Fatalf("the broker does not report it: %v", err)
	}
	close(deleted)
	// Advisories are heeded in order: after the next one, this one is done with.
	hook := events.Outgoing{Subject: events.WebhookSubject(ref("D-2")), Data: []byte("hook")}
	if err := c.PublishWebhook(testContext(t), hook, "2"); err != nil {
		t.Fatal(err)
	}
	terminateByHand(t, js, events.StreamWebhooks, "by-hand", "webhook.received.acme.D-2")
	onlyLetter(t, c)
	cancel()
	if err := receive(t, ended, "the end of WatchAdvisories"); err != nil {
		t.Error(err)
	}
	if n := c.Stats().GivenUp; n != 1 {
		t.Errorf("%d given up", n)
	}
}

// terminateByHand takes the next message of a consumer and terminates it.
func terminateByHand(t *testing.T, js njs.JetStream, stream, durable, filter string) {
	t.Helper()
	consumer, err := js.CreateOrUpdateConsumer(testContext(t), stream, njs.ConsumerConfig{
		Durable: durable, AckPolicy: njs.AckExplicitPolicy, FilterSubject: filter,
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := consumer.Fetch(1, njs.FetchMaxWait(patience))
	if err != nil {
		t.Fatal(err)
	}
	if err := receive(t, batch.Messages(), "a message").Term(); err != nil {
		t.Fatal(err)
	}
}
