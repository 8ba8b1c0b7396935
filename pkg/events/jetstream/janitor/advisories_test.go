package janitor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/janitor"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// watching runs WatchAdvisories until the test ends. It returns when a process hears advisories.
func watching(t *testing.T, server *natstest.Server, c *admin.Conn) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- janitor.New(c.Conn).WatchAdvisories(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := receive(t, ended, "the end of WatchAdvisories"); err != nil {
			t.Error(err)
		}
	})
	heard(t, server)
}

// heard waits until a process hears advisories.
func heard(t *testing.T, server *natstest.Server) {
	t.Helper()
	nc, _ := foreign(t, server.URL())
	for _, kind := range []string{"MAX_DELIVERIES", "MSG_TERMINATED"} {
		eventually(t, "somebody hears "+kind, func() bool {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := nc.RequestWithContext(ctx, "$JS.EVENT.ADVISORY.CONSUMER."+kind+".nobodys", []byte("{}"))
			return errors.Is(err, context.DeadlineExceeded) // heard, and not answered
		})
	}
}

// limit gives our consumer a limit of deliveries, as an operator could by hand.
func limit(t *testing.T, js njs.JetStream, deliveries int) njs.Consumer {
	t.Helper()
	consumer, err := js.Consumer(testContext(t), events.StreamCommands, "commands-acme")
	if err != nil {
		t.Fatal(err)
	}
	changed := consumer.CachedInfo().Config
	changed.MaxDeliver = deliveries
	if consumer, err = js.UpdateConsumer(testContext(t), events.StreamCommands, changed); err != nil {
		t.Fatal(err)
	}
	return consumer
}

func TestALimitOfDeliveriesLosesNothing(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	watching(t, server, c)
	watching(t, server, connect(t, server.URL(), testConfig())) // another worker
	arrivals := make(chan events.Message, 64)
	limited := make(chan struct{})
	consuming(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
		arrivals <- m
		if m.Header.Get(events.HeaderReplayOf) != "" {
			return queue.Acknowledge()
		}
		<-limited
		return queue.RetryAfter(0)
	})
	publish(t, c, ref("D-1"))
	receive(t, arrivals, "the command")
	limit(t, js, 2)
	close(limited)
	deadLetter := jetstreamtest.OnlyDeadLetter(t, c)
	if deadLetter.Reason != events.DeadMaxDeliveries || deadLetter.Message.Subject != "deposit.requested.acme.D-1" ||
		string(deadLetter.Message.Data) != "body of D-1" || deadLetter.Message.Deliveries != 2 {
		t.Errorf("%+v", deadLetter)
	}
	eventually(t, "it does not stand in the way", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	if err := c.Replay(testContext(t), deadLetter.Sequence); err != nil {
		t.Fatal(err)
	}
	for again := receive(t, arrivals, "the replayed command"); again.Header.Get(events.HeaderReplayOf) != "1"; {
		again = receive(t, arrivals, "the replayed command")
	}
}

// No process hears the broker give a command up: no worker runs. Later it is put back, and nothing else is touched.
func TestAnUndeliveredCommandIsPutBack(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	jetstreamtest.ParkBefore(t, c, []payment.Ref{ref("parked")}, func(payment.Ref) time.Time { return time.Now().Add(time.Hour) })
	consumer := limit(t, js, 1)
	publish(t, c, ref("D-1"))
	if _, err := js.Publish(testContext(t), "deposit.requested.acme.no=name", []byte("no name")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		m, err := consumer.Next(njs.FetchMaxWait(timeout))
		if err == nil {
			err = m.Nak()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are given up", func() bool { // which the broker does when it would deliver them
		batch, err := consumer.FetchNoWait(2)
		if err != nil {
			t.Fatal(err)
		}
		if m, more := <-batch.Messages(); more {
			t.Fatalf("delivered beyond the limit: %s", m.Subject())
		}
		info, err := consumer.Info(testContext(t))
		return err == nil && info.NumAckPending == 0
	})

	arrivals := make(chan events.Message, 64)
	consuming(t, c, 3, func(ctx context.Context, m events.Message) queue.Verdict { // takes the limit away
		arrivals <- m
		switch r, _ := events.SubjectRef(m.Subject); r.Order {
		case "given-back":
			return queue.RetryAfter(time.Hour)
		case "in-work":
			<-ctx.Done()
		}
		return queue.Acknowledge()
	})
	for _, order := range []string{"at-once", "given-back", "in-work"} { // the first leaves nothing in flight
		publish(t, c, ref(order))
		if m := receive(t, arrivals, "a command"); m.Subject != events.CommandSubject(payment.Deposit, ref(order)) {
			t.Fatalf("the broker delivers it again by itself: %+v", m)
		}
		eventually(t, "the first is done", func() bool { return order != "at-once" || messages(t, js, events.StreamCommands) == 3 })
	}
	other := connect(t, server.URL(), testConfig())
	own, another := janitor.New(c.Conn), janitor.New(other.Conn)
	for _, rescuer := range []*janitor.Janitor{own, another} {
		if n, err := rescuer.RescueUndelivered(testContext(t)); n != 0 || err != nil {
			t.Fatalf("at the first look %d are put back, %v", n, err)
		}
	}
	if n, err := own.RescueUndelivered(testContext(t)); n != 2 || err != nil {
		t.Fatalf("%d are put back, %v", n, err)
	}
	if deadLetter := jetstreamtest.OnlyDeadLetter(t, c); deadLetter.Reason != events.DeadMaxDeliveries || string(deadLetter.Message.Data) != "no name" {
		t.Errorf("%+v", deadLetter)
	}
	if n, err := another.RescueUndelivered(testContext(t)); n != 0 || err != nil {
		t.Errorf("another worker puts back %d, %v", n, err)
	}
	m := receive(t, arrivals, "the command that was given up")
	if m.Subject != "deposit.requested.acme.D-1" || string(m.Data) != "body of D-1" || m.Header.Get("X-Upstream") != "kept" || m.Header.Get(events.HeaderRequestedAt) == "" {
		t.Errorf("%+v", m)
	}
	eventually(t, "what waits is left alone", func() bool { return messages(t, js, events.StreamCommands) == 3 })
	if n := c.Broker().Count.Undelivered.Load() + other.Broker().Count.Undelivered.Load(); n != 2 {
		t.Errorf("%d given up", n)
	}
}

// Our own terminations have their dead letter; one by hand gets it from the advisory, if it can.
func TestATerminationByHandIsKept(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	other := connect(t, server.URL(), testConfig())
	watching(t, server, c)
	watching(t, server, other)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- c.ConsumeWebhooks(ctx, "acme", 1, func(context.Context, events.Message) queue.Verdict {
			return queue.DeadLetter(events.DeadBadWebhook, "")
		})
	}()
	hook := events.Outgoing{Subject: events.WebhookSubject(ref("D-1")), Data: []byte("hook")}
	if err := c.PublishWebhook(ctx, hook, "1"); err != nil {
		t.Fatal(err)
	}
	jetstreamtest.OnlyDeadLetter(t, c)
	cancel()
	if err := receive(t, ended, "the end"); err != nil {
		t.Fatal(err)
	}

	// Ours in the work queue cannot be read any more either, and is no alarm.
	stop := consuming(t, c, 1, func(context.Context, events.Message) queue.Verdict {
		return queue.DeadLetter(events.DeadInvalid, "")
	})
	publish(t, c, ref("D-0"))
	eventually(t, "it is dead-lettered", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	stop()

	publish(t, c, ref("D-2"))
	terminateByHand(t, js, events.StreamCommands, "commands-acme", "*.requested.acme.*") // deleted by the broker at once
	hook.Subject = events.WebhookSubject(ref("D-3"))
	if err := c.PublishWebhook(testContext(t), hook, "3"); err != nil {
		t.Fatal(err)
	}
	terminateByHand(t, js, events.StreamWebhooks, "by-hand", "webhook.received.acme.D-3")
	var deadLetters []events.DeadLetter
	eventually(t, "the webhook is kept", func() bool {
		deadLetters, _ = c.DeadLetters(testContext(t), 0, 10)
		return len(deadLetters) == 3
	})
	eventually(t, "both by hand are counted, once", func() bool { return c.Broker().Count.Undelivered.Load()+other.Broker().Count.Undelivered.Load() == 2 })
	if l := deadLetters[2]; l.Reason != events.DeadTerminated || l.Message.Subject != hook.Subject || string(l.Message.Data) != "hook" {
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
	go func() { ended <- janitor.New(c.Conn).WatchAdvisories(ctx) }()
	heard(t, server)
	advice, err := nc.SubscribeSync("$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.>")
	if err != nil {
		t.Fatal(err)
	}
	arrived, deleted := make(chan events.Message, 8), make(chan struct{})
	consuming(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
		arrived <- m
		<-deleted
		return queue.Acknowledge()
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
	if _, err := advice.NextMsg(timeout); err != nil {
		t.Fatalf("the broker does not report it: %v", err)
	}
	close(deleted)
	// Advisories are heeded in order: after the next one, this one is done with.
	hook := events.Outgoing{Subject: events.WebhookSubject(ref("D-2")), Data: []byte("hook")}
	if err := c.PublishWebhook(testContext(t), hook, "2"); err != nil {
		t.Fatal(err)
	}
	terminateByHand(t, js, events.StreamWebhooks, "by-hand", "webhook.received.acme.D-2")
	jetstreamtest.OnlyDeadLetter(t, c)
	cancel()
	if err := receive(t, ended, "the end of WatchAdvisories"); err != nil {
		t.Error(err)
	}
	if n := c.Broker().Count.Undelivered.Load(); n != 1 {
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
	batch, err := consumer.Fetch(1, njs.FetchMaxWait(timeout))
	if err != nil {
		t.Fatal(err)
	}
	if err := receive(t, batch.Messages(), "a message").Term(); err != nil {
		t.Fatal(err)
	}
}
