package janitor_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/janitor"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// TestSweepTellsWhoseCommandsItGaveUp: one line for each provider, with how many and what to type.
func TestSweepTellsWhoseCommandsItGaveUp(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.OrphanAfter = time.Millisecond
	var logs testenv.Logs // the sweep is over when it is read, but the connection logs as well
	o := options(t, server.URL(), cfg)
	o.Logger = slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelError}))
	c, err := jetstreamtest.Dial(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatal(err)
	}
	for _, r := range orders("S", 3) {
		r.Provider = "nobody"
		publish(t, c, r)
	}
	swept := 0
	eventually(t, "all are swept", func() bool {
		n, err := janitor.New(c.Conn).SweepOrphans(testContext(t))
		swept += n
		return err == nil && swept == 3
	})
	text := logs.String()
	if !strings.Contains(text, "provider=nobody") || !strings.Contains(text, "reason=unknown_provider") ||
		!strings.Contains(text, `next="payctl deadletters list --provider nobody"`) {
		t.Errorf("logged %s", text)
	}
	if _, err := janitor.New(c.Conn).SweepOrphans(testContext(t)); err != nil || logs.String() != text {
		t.Errorf("an empty sweep is told: %v, %s", err, logs.String())
	}
}

func TestSweepOrphans(t *testing.T) {
	server, _ := start(t)
	cfg := testConfig()
	cfg.OrphanAfter = time.Hour
	young := connect(t, server.URL(), cfg)
	cfg.OrphanAfter = time.Millisecond
	workers := []*admin.Conn{connect(t, server.URL(), cfg), connect(t, server.URL(), cfg), connect(t, server.URL(), cfg)}
	_, js := foreign(t, server.URL())
	stop := consuming(t, young, 1, func(context.Context, events.Message) queue.Verdict { return queue.Acknowledge() })
	eventually(t, "the consumer exists", func() bool {
		_, err := js.Consumer(testContext(t), events.StreamCommands, "commands-acme")
		return err == nil
	})
	stop() // its consumer stays: the provider is known
	publish(t, young, ref("known"))
	const orphans = 20
	for _, r := range orders("S", orphans-2) {
		r.Provider = "nobody"
		publish(t, young, r)
	}
	for _, subject := range []string{"deposit.requested.No_Provider.S-1", "deposit.requested.*.known"} { // the "*" is meant
		if _, err := js.Publish(testContext(t), subject, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := janitor.New(young.Conn).SweepOrphans(testContext(t)); n != 0 || err != nil {
		t.Fatalf("young ones: %d, %v", n, err)
	}
	type result struct {
		n   int
		err error
	}
	results := make(chan result, len(workers))
	for _, worker := range workers {
		go func() {
			n, err := janitor.New(worker.Conn).SweepOrphans(testContext(t))
			results <- result{n, err}
		}()
	}
	total := 0
	for range workers {
		r := receive(t, results, "a sweep")
		if r.err != nil {
			t.Error(r.err)
		}
		total += r.n
	}
	deadLetters, err := young.DeadLetters(testContext(t), 0, 1000)
	if err != nil || total != orphans || len(deadLetters) != orphans {
		t.Fatalf("%d swept, %d dead letters, %v, want %d", total, len(deadLetters), err, orphans)
	}
	for _, deadLetter := range deadLetters {
		if deadLetter.Reason != events.DeadUnknownProvider || len(deadLetter.Message.Data) == 0 {
			t.Errorf("got %+v", deadLetter)
		}
	}
	if n := messages(t, js, events.StreamCommands); n != 1 {
		t.Errorf("%d messages left, want the known provider's", n)
	}
}
