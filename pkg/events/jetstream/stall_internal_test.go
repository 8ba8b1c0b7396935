package jetstream

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
)

// A look can fall into the moment in which a message is on its way. Only what waits at two looks, with nothing
// between them, is stuck.
func TestAMessageOnItsWayIsNoStall(t *testing.T) {
	cfg := DefaultConfig()
	cfg.StallAfter = time.Hour // the looks are the test's
	ctx, c := begin(t, cfg, time.Now)
	s := &consumer{
		conn: c, stream: events.StreamCommands, slots: make(chan struct{}, 1), jobs: make(chan job, 10), working: 1,
		config: c.consumerConfig("commands-acme", 10, "*.requested.acme.*"),
	}
	sub, err := s.subscribe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.close()
	sub.stall = time.NewTimer(cfg.StallAfter)
	defer sub.stall.Stop()
	look := func(want error) {
		t.Helper()
		if err := sub.checkStall(ctx); !errors.Is(err, want) || !errors.Is(s.trouble(), want) {
			t.Fatalf("%v, trouble %v, want %v", err, s.trouble(), want)
		}
	}
	wait := func(want uint64) { // the server counts a moment after it answers
		t.Helper()
		for {
			if n, err := s.pending(ctx); err != nil {
				t.Fatal(err)
			} else if n == want {
				return
			}
		}
	}
	publish := func(subject string) {
		t.Helper()
		if _, err := c.broker.JS.Publish(ctx, subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
		wait(1)
	}
	look(nil)
	publish("deposit.requested.acme.D-1")
	look(nil)
	sub.flows() // it came
	look(nil)   // the next one waits
	stream, err := c.broker.JS.Stream(ctx, events.StreamCommands)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	wait(0)
	look(nil) // nothing waits
	publish("deposit.requested.acme.D-2")
	look(nil)
	sub.messages <- &nats.Msg{} // it is here, and no handler has taken it yet
	look(nil)
	<-sub.messages
	if n := c.broker.Count.Stalls.Load(); n != 0 {
		t.Fatalf("%d stalls", n)
	}
	look(errStalled)
	sub.deliver(ctx, &nats.Msg{Subject: "deposit.requested.acme.D-2", Reply: "$JS.ACK.COMMANDS.commands-acme.1.1.1.1790000000000000000.0"})
	if err := s.trouble(); err != nil {
		t.Errorf("a message came: %v", err)
	}
	look(nil)
	if n := c.broker.Count.Stalls.Load(); n != 1 {
		t.Errorf("%d stalls", n)
	}
}
