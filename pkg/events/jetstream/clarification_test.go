package jetstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/janitor"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/natstest"
)

func clarification(r payment.Ref, body string) events.Outgoing {
	return events.Outgoing{Subject: events.ClarificationSubject(r), Data: []byte(body), Header: events.Header{"ce-id": {"q-" + r.Order}}}
}

func clarify(t *testing.T, c *admin.Conn, r payment.Ref, body, id string) {
	t.Helper()
	if err := c.PublishClarification(testContext(t), clarification(r, body), id); err != nil {
		t.Fatal(err)
	}
}

func TestPublishClarificationOncePerOrder(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	ctx, r := testContext(t), ref("D-1")
	clarify(t, c, r, "values", "1")
	clarify(t, c, r, "values", "1") // the same request again
	if n := messages(t, js, events.StreamCommands); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	if err := c.PublishClarification(ctx, clarification(r, "others"), "2"); !errors.Is(err, events.ErrQueued) {
		t.Errorf("another while the first waits: %v", err)
	}
	clarify(t, c, ref("D-2"), "values", "3")
	for _, subject := range []string{"clarification.requested", "deposit.requested.acme.D-3", "clarification.requested.acme.*", "parked.acme.D-3"} {
		if err := c.PublishClarification(ctx, events.Outgoing{Subject: subject}, "4"); err == nil || errors.Is(err, events.ErrQueued) {
			t.Errorf("%s: %v", subject, err)
		}
	}
	if err := c.PublishClarification(ctx, clarification(ref("D-3"), "values"), ""); err == nil {
		t.Error("a clarification without an id was taken")
	}
}

func TestPublishClarificationAfterTheFirstIsDone(t *testing.T) {
	_, c := start(t)
	r := ref("D-1")
	handled := make(chan struct{}, 10)
	consuming(t, c, 1, doneAfter(handled))
	clarify(t, c, r, "values", "1")
	receive(t, handled, "the first")
	eventually(t, "the second is taken", func() bool {
		return c.PublishClarification(testContext(t), clarification(r, "others"), "2") == nil
	})
	receive(t, handled, "the second")
}

func TestPublishClarificationWithLostAcknowledgement(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	between := startProxy(t, server.Addr())
	c := connect(t, between.url(), testConfig())
	_, js := foreign(t, server.URL())
	between.lose.Store(1)
	clarify(t, c, ref("D-1"), "values", "1")
	if between.lost.Load() != 1 {
		t.Fatal("the proxy did not lose the acknowledgement: the test proves nothing")
	}
	if n := messages(t, js, events.StreamCommands); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

// A clarification has a subject under the filter of commands. It must not be in the way of any command there.
func TestClarificationAndCommandDoNotHinderEachOther(t *testing.T) {
	_, c := start(t)
	ctx := testContext(t)
	second := func(r payment.Ref) error {
		out := command(r, "another body")
		out.Subject = events.CommandSubject(payment.Payout, r)
		return c.PublishCommand(ctx, out)
	}
	mustHold := func(r payment.Ref) {
		t.Helper()
		m, err := c.QueuedCommand(ctx, r)
		if err != nil || m.Subject != events.CommandSubject(payment.Deposit, r) || string(m.Data) != "body of "+r.Order {
			t.Errorf("%s: queued is %q %s, %v", r, m.Subject, m.Data, err)
		}
		if err := second(r); !errors.Is(err, events.ErrQueued) {
			t.Errorf("%s: a second command: %v", r, err)
		}
	}

	before := ref("clarification-first")
	clarify(t, c, before, "values", "1")
	if m, err := c.QueuedCommand(ctx, before); !errors.Is(err, events.ErrNotQueued) {
		t.Fatalf("a clarification alone is queued as the command: %+v, %v", m, err)
	}
	publish(t, c, before)
	mustHold(before)

	after := ref("command-first")
	publish(t, c, after)
	clarify(t, c, after, "values", "2")
	mustHold(after)

	for _, op := range payment.Operations() { // behind a clarification every operation is looked at
		r := ref("behind-" + string(op))
		out := command(r, "1")
		out.Subject = events.CommandSubject(op, r)
		if err := c.PublishCommand(ctx, out); err != nil {
			t.Fatal(err)
		}
		clarify(t, c, r, "values", "3"+string(op))
		if m, err := c.QueuedCommand(ctx, r); err != nil || m.Subject != out.Subject {
			t.Errorf("%s: %q, %v", op, m.Subject, err)
		}
	}
}

// A command whose acknowledgement was lost is recognised behind a clarification too.
func TestPublishCommandBesideAClarificationWithLostAcknowledgement(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	between := startProxy(t, server.Addr())
	c := connect(t, between.url(), testConfig())
	_, js := foreign(t, server.URL())
	r := ref("D-1")
	clarify(t, c, r, "values", "1")
	between.lose.Store(1)
	publish(t, c, r)
	if between.lost.Load() != 1 {
		t.Fatal("the proxy did not lose the acknowledgement: the test proves nothing")
	}
	if n := messages(t, js, events.StreamCommands); n != 2 {
		t.Errorf("%d messages, want the command and the clarification", n)
	}
}

func TestClarificationGoesToTheWorkersOfItsProvider(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	got := make(chan events.Message, 10)
	consuming(t, c, 1, func(_ context.Context, m events.Message) queue.Verdict {
		got <- m
		if m.Deliveries == 1 {
			return queue.ParkUntil(time.Now().Add(time.Hour)) // it has no place to be parked
		}
		return queue.Acknowledge()
	})
	other := ref("D-2")
	other.Provider = "other"
	clarify(t, c, other, "values", "1")
	clarify(t, c, ref("D-1"), "values", "2")
	for n := 1; n <= 2; n++ {
		if m := receive(t, got, "the clarification"); m.Subject != "clarification.requested.acme.D-1" || m.Deliveries != n {
			t.Fatalf("got %s, delivery %d", m.Subject, m.Deliveries)
		}
	}
	eventually(t, "it is done", func() bool { return messages(t, js, events.StreamCommands) == 1 })
	if _, err := js.Consumer(testContext(t), events.StreamCommands, "commands-other"); err == nil {
		t.Error("the other provider has a consumer: the test proves nothing")
	}
}

func TestSweepTakesClarificationsThatNobodyWorksOn(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	cfg.OrphanAfter = time.Millisecond
	c := connect(t, server.URL(), cfg)
	_, js := foreign(t, server.URL())
	clarify(t, c, ref("D-1"), "values", "1")
	eventually(t, "it is swept", func() bool {
		n, err := janitor.New(c.Conn).SweepOrphans(testContext(t))
		return err == nil && n == 1
	})
	deadLetters, err := c.DeadLetters(testContext(t), 0, 10)
	if err != nil || len(deadLetters) != 1 || deadLetters[0].Reason != events.DeadUnknownProvider || deadLetters[0].Message.Subject != "clarification.requested.acme.D-1" || string(deadLetters[0].Message.Data) != "values" {
		t.Errorf("%+v, %v", deadLetters, err)
	}
	if n := messages(t, js, events.StreamCommands); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}
