package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/natstest"
)

func TestAppendThenRead(t *testing.T) {
	_, c := start(t)
	ctx, r := testContext(t), ref("D-1")
	if _, _, err := c.Last(ctx, r); !errors.Is(err, events.ErrNoPayment) {
		t.Fatalf("Last of an unknown order: %v", err)
	}
	if _, err := c.History(ctx, r); !errors.Is(err, events.ErrNoPayment) {
		t.Fatalf("History of an unknown order: %v", err)
	}
	var after uint64
	statuses := []payment.Status{payment.Submitting, payment.Pending, payment.Settled}
	for i, status := range statuses {
		after = mustAppend(t, c, paymentOf(r, status), after)
		mustAppend(t, c, paymentOf(ref(fmt.Sprintf("other-%d", i)), status), 0)
	}
	last, seq, err := c.Last(ctx, r)
	if err != nil || seq != after || last.Status != payment.Settled || last.Ref != r {
		t.Fatalf("Last: %v %d %v, want settled at %d", last.Status, seq, err, after)
	}
	history, err := c.History(ctx, r)
	if err != nil || len(history) != len(statuses) {
		t.Fatalf("History: %d events, %v", len(history), err)
	}
	ids := map[string]bool{}
	for i, record := range history {
		if record.Payment.Status != statuses[i] || record.Payment.Ref != r || record.StoredAt.IsZero() || record.ID == "" {
			t.Errorf("event %d: %+v", i, record)
		}
		ids[record.ID] = true
	}
	if len(ids) != len(statuses) || history[2].Sequence != after {
		t.Errorf("ids %v, last sequence %d, want %d", ids, history[2].Sequence, after)
	}
}

// The server would remember an id of each event for two minutes. It is needed by no one: an event is stored once by what it expects.
func TestAnEventHasNoMessageID(t *testing.T) {
	server, c := start(t)
	seq := mustAppend(t, c, paymentOf(ref("D-1"), payment.Submitting), 0)
	_, js := foreign(t, server.URL())
	stream, err := js.Stream(testContext(t), events.StreamPayments)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := stream.GetMsg(testContext(t), seq)
	if err != nil || raw.Header.Get("Nats-Msg-Id") != "" || raw.Header.Get("ce-id") == "" {
		t.Errorf("%v, %v", raw, err)
	}
}

// An event that another client wrote past Append need not name the one before it: its history is found by subject.
func TestHistoryOfAForeignEvent(t *testing.T) {
	server, c := start(t)
	_, js := foreign(t, server.URL())
	mine := mustAppend(t, c, paymentOf(ref("mine"), payment.Submitting), 0)
	for order, previous := range map[string]string{"none": "", "itself": "100", "other": strconv.FormatUint(mine, 10)} {
		out, err := events.EncodePayment(paymentOf(ref(order), payment.Settled), order)
		if err != nil {
			t.Fatal(err)
		}
		msg := &nats.Msg{Subject: out.Subject, Data: out.Data, Header: nats.Header{jetstream.HeaderPrevious: {previous}}}
		if _, err := js.PublishMsg(testContext(t), msg); err != nil {
			t.Fatal(err)
		}
		if history, err := c.History(testContext(t), ref(order)); err != nil || len(history) != 1 || history[0].Payment.Order != order {
			t.Errorf("%s: %v, %v", order, history, err)
		}
	}
}

func TestAppendRefusesStale(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	// A refusal that comes late must not count as lost: an append after an event that is not there would ask the log,
	// which cannot tell what became of it, until its time is over.
	cfg.PublishTimeout = 30 * time.Second
	c := connect(t, natstest.Start(t).URL(), cfg)
	r := ref("D-1")
	first := mustAppend(t, c, paymentOf(r, payment.Submitting), 0)
	for _, after := range []uint64{0, first + 1, first + 100} {
		if _, err := c.Append(testContext(t), paymentOf(r, payment.Settled), after); !errors.Is(err, events.ErrStale) {
			t.Errorf("after %d: %v, want ErrStale", after, err)
		}
	}
	if _, err := c.Append(testContext(t), paymentOf(payment.Ref{Provider: "acme", Order: "*"}, payment.Settled), 0); err == nil {
		t.Error("an order with a wildcard was taken")
	}
	if _, _, err := c.Last(testContext(t), payment.Ref{Provider: "acme", Order: "*"}); err == nil || errors.Is(err, events.ErrNoPayment) {
		t.Errorf("a read with a wildcard: %v", err)
	}
}

func TestOfTwoAppendsOneWins(t *testing.T) {
	server, first := start(t)
	second := connect(t, server.URL(), testConfig())
	const races = 1000
	var workers sync.WaitGroup
	for worker := range 4 {
		workers.Go(func() {
			for race := worker; race < races; race += 4 {
				raceOnce(t, first, second, ref(fmt.Sprintf("R-%d", race)))
			}
		})
	}
	workers.Wait()
}

func raceOnce(t *testing.T, first, second *admin.Conn, r payment.Ref) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*timeout)
	defer cancel()
	begun, err := first.Append(ctx, paymentOf(r, payment.Submitting), 0)
	if err != nil {
		t.Errorf("%s: %v", r, err)
		return
	}
	var errs [2]error
	var both sync.WaitGroup
	both.Go(func() { _, errs[0] = first.Append(ctx, paymentOf(r, payment.Settled), begun) })
	both.Go(func() { _, errs[1] = second.Append(ctx, paymentOf(r, payment.Failed), begun) })
	both.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("%s: not exactly one winner: %v, %v", r, errs[0], errs[1])
		return
	}
	want := payment.Settled
	if errs[0] != nil {
		want = payment.Failed
	}
	if lost := errors.Join(errs[0], errs[1]); !errors.Is(lost, events.ErrStale) {
		t.Errorf("%s: the loser got %v", r, lost)
	}
	history, err := first.History(ctx, r)
	for err == nil && len(history) < 2 && ctx.Err() == nil { // from a replica that is behind
		history, err = first.History(ctx, r)
	}
	if err != nil || len(history) != 2 || history[1].Payment.Status != want {
		t.Errorf("%s: history %v, %v, want it to end with %s", r, history, err, want)
	}
}

func TestAppendWithLostAcknowledgement(t *testing.T) {
	for name, lost := range map[string]struct {
		answers int32
		hangUp  bool
	}{
		"the acknowledgement": {1, false}, "the connection too": {1, true}, "what the log says of it too": {2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.Start(t)
			between := startProxy(t, server.Addr())
			c := connect(t, between.url(), testConfig())
			r := ref("D-1")
			begun := mustAppend(t, c, paymentOf(r, payment.Submitting), 0)
			between.hangUp.Store(lost.hangUp)
			between.lose.Store(lost.answers)
			seq, err := c.Append(testContext(t), paymentOf(r, payment.Settled), begun)
			if err != nil {
				t.Fatal(err)
			}
			if between.lost.Load() != lost.answers {
				t.Fatal("the proxy did not lose them: the test proves nothing")
			}
			history, err := c.History(testContext(t), r)
			if err != nil || len(history) != 2 || history[1].Sequence != seq {
				t.Errorf("history %v, %v, want 2 events ending at %d", history, err, seq)
			}
		})
	}
}

// After a lost acknowledgement the log decides, and another's event is never taken for ours.
func TestAppendWithLostAcknowledgementAndConcurrentWriter(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	between := startProxy(t, server.Addr())
	late, concurrent := connect(t, between.url(), testConfig()), connect(t, server.URL(), testConfig())
	r := ref("D-1")
	release := between.hold("payment.submitting.acme.D-1") // it can ask the log only after the concurrent writer
	between.lose.Store(1)
	result := make(chan error, 1)
	go func() {
		_, err := late.Append(testContext(t), paymentOf(r, payment.Submitting), 0)
		result <- err
	}()
	var begun uint64
	eventually(t, "the first event is stored", func() bool {
		_, seq, err := concurrent.Last(testContext(t), r)
		begun = seq
		return err == nil
	})
	mustAppend(t, concurrent, paymentOf(r, payment.InDoubt), begun)
	eventually(t, "the acknowledgement is lost", func() bool { return between.lost.Load() == 1 })
	release()
	if err := receive(t, result, "the late append"); !errors.Is(err, events.ErrStale) {
		t.Errorf("got %v, want ErrStale, because the payment has moved on", err)
	}
}

func TestAppendOverARestart(t *testing.T) {
	server, c := start(t)
	r := ref("D-1")
	begun := mustAppend(t, c, paymentOf(r, payment.Submitting), 0)
	server.Stop()
	if err := c.Ready(); err == nil {
		eventually(t, "not ready without a server", func() bool { return c.Ready() != nil })
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := c.Append(short, paymentOf(r, payment.Failed), begun); err == nil || errors.Is(err, events.ErrStale) {
		t.Errorf("an append without a server: %v", err)
	}
	result, tries := make(chan error, 1), c.Broker().Count.PublishRetries.Load()
	go func() {
		_, err := c.Append(testContext(t), paymentOf(r, payment.Settled), begun)
		result <- err
	}()
	eventually(t, "the append is tried again", func() bool { return c.Broker().Count.PublishRetries.Load() > tries })
	server.Restart()
	if err := receive(t, result, "the append"); err != nil {
		t.Fatal(err)
	}
	history, err := c.History(testContext(t), r)
	if err != nil || len(history) != 2 || history[1].Payment.Status != payment.Settled {
		t.Errorf("history %v, %v: nothing may be written after its caller gave up", history, err)
	}
	eventually(t, "the connection is counted", func() bool { return c.Broker().Count.Reconnects.Load() > 0 }) // after it is used again
}

// What was dated before the broker stored it counts from then on.
func TestLastIsAsStored(t *testing.T) {
	_, c := start(t)
	p := paymentOf(ref("a"), payment.Submitting)
	p.UpdatedAt = time.Now().Add(-time.Hour).UTC()
	p.SubmittedAt = p.UpdatedAt
	before := time.Now()
	mustAppend(t, c, p, 0)
	last, _, err := jetstream.AsStored{Conn: c.Conn}.Last(testContext(t), p.Ref)
	if err != nil || last.SubmittedAt.Before(before.Add(-time.Second)) { // one machine's clock, read by two
		t.Errorf("sent at %s, stored after %s: %v", last.SubmittedAt, before, err)
	}
}
