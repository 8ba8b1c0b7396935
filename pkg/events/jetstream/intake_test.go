package jetstream_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/queue"
	"payonce/test/natstest"
)

// Nothing that an upstream can put into a header makes its stream lose, forge or hold back a message, and
// what is taken comes to the handler under the subject that the upstream published to.
func TestIntakeStreamTakesNoOrders(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Upstreams = []string{"shop", "game"}
	server := natstest.Start(t)
	c := connect(t, server.URL(), cfg)
	_, js := foreign(t, server.URL())
	subject := events.IntakeSubject("shop", "deposit.requested.acme.D-1")
	publish := func(subject string, header ...string) error {
		msg := &nats.Msg{Subject: subject, Header: nats.Header{}, Data: []byte("body")}
		for i := 0; i < len(header); i += 2 {
			msg.Header.Set(header[i], header[i+1])
		}
		ack, err := js.PublishMsg(testContext(t), msg, njs.WithRetryAttempts(0))
		if err == nil && ack.Duplicate {
			return errors.New("taken for a duplicate")
		}
		return err
	}
	if err := publish(subject, "Nats-Msg-Id", "1", "X-Upstream", "kept", events.HeaderUpstream, "game", "payonce-upstream", "game"); err != nil {
		t.Fatal(err)
	}
	for _, order := range [][]string{
		{"Nats-Rollup", "all"}, {"Nats-Rollup", "sub"}, {"Nats-TTL", "1s"}, {"Nats-Incr", "+1"},
		{"Nats-Schedule", "@every 1s", "Nats-Schedule-Target", events.IntakeSubject("shop", "deposit.requested.other.D-2")},
		{"Nats-Batch-Id", "b", "Nats-Batch-Sequence", "1"},
	} {
		if err := publish(subject, order...); err == nil {
			t.Errorf("%v was taken", order)
		}
	}
	if n := messages(t, js, events.IntakeStream("shop")); n != 1 {
		t.Fatalf("%d messages in the stream, want 1", n)
	}
	// Another upstream's message ids are its own.
	if err := publish(events.IntakeSubject("game", "payout.requested.acme.P-1"), "Nats-Msg-Id", "1"); err != nil {
		t.Errorf("the message id of another upstream: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, done := make(chan events.Message, 8), make(chan error, 1)
	go func() {
		done <- c.ConsumeIntake(ctx, 2, func(_ context.Context, m events.Message) queue.Verdict {
			got <- m
			return queue.ForwardTo(m.Subject)
		})
	}()
	first, second := receive(t, got, "the first"), receive(t, got, "the second")
	subjects := []string{first.Subject, second.Subject}
	slices.Sort(subjects)
	if want := []string{"deposit.requested.acme.D-1", "payout.requested.acme.P-1"}; !slices.Equal(subjects, want) {
		t.Errorf("got %v, want %v", subjects, want)
	}
	eventually(t, "both are in COMMANDS and nowhere else", func() bool {
		return messages(t, js, events.StreamCommands) == 2 && messages(t, js, events.IntakeStream("shop")) == 0 && messages(t, js, events.IntakeStream("game")) == 0
	})
	cancel()
	if err := receive(t, done, "the end"); err != nil {
		t.Error(err)
	}
	m, err := c.QueuedCommand(testContext(t), ref("D-1"))
	if err != nil || m.Header.Get("X-Upstream") != "kept" {
		t.Errorf("%+v: %v", m, err)
	}
	if got := m.Header[events.HeaderUpstream]; !slices.Equal(got, []string{"shop"}) || m.Header["payonce-upstream"] != nil {
		t.Errorf("a message of shop is queued with %v", m.Header)
	}
	if m, err = c.QueuedCommand(testContext(t), ref("P-1")); err != nil || m.Header.Get(events.HeaderUpstream) != "game" {
		t.Errorf("a message of game without headers is queued with %v: %v", m.Header, err)
	}
}

// ApplyStreams makes what is missing, changes what is safe only when asked to, and nothing that would lose
// or refuse what was taken before.
func TestApplyStreams(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := testConfig()
	first := connect(t, server.URL(), cfg)
	seq := mustAppend(t, first, paymentOf(ref("D-1"), "settled"), 0)

	cfg.Upstreams, cfg.Ledgers, cfg.PaymentRetention = []string{"shop"}, []string{"accounting"}, 2*cfg.PaymentRetention
	second := reconnect(t, server.URL(), cfg)
	done, err := second.ApplyStreams(testContext(t), false)
	if err != nil || len(done) != 4 {
		t.Fatalf("%v: %v, want a stream, and the consumers of the ledger, of its balances and of refusals", done, err)
	}
	left, err := second.CheckStreams(testContext(t))
	if err != nil || len(left) != 2 || left[0].Field != "max_age" || left[1].Field != "max_age" { // of PAYMENTS and BALANCES
		t.Fatalf("left %v: %v", left, err)
	}
	if done, err = second.ApplyStreams(testContext(t), true); err != nil || len(done) != 2 {
		t.Fatalf("update: %v: %v", done, err)
	}
	if left, err = second.CheckStreams(testContext(t)); err != nil || len(left) != 0 {
		t.Fatalf("left %v: %v", left, err)
	}
	// The way back would forget payments.
	_, err = first.ApplyStreams(testContext(t), true)
	var mismatch *admin.MismatchError
	if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "PAYMENTS: max_age") {
		t.Errorf("a shorter retention: %v", err)
	}
	_, js := foreign(t, server.URL())
	consumer, err := js.Consumer(testContext(t), events.StreamPayments, admin.LedgerConsumer("accounting"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := consumer.Next()
	if err != nil {
		t.Fatal(err)
	}
	if meta, err := m.Metadata(); err != nil || meta.Sequence.Stream != seq {
		t.Errorf("%+v: %v", meta, err)
	}
}

func TestSafeDifferences(t *testing.T) {
	for _, test := range []struct {
		field, have, want string
		safe              bool
	}{
		{"", "", "", true},
		{"max_age", "10", "20", true}, {"max_age", "20", "10", false}, {"max_age", "20", "0", true}, {"max_age", "0", "20", false},
		{"max_bytes", "-1", "20", false}, {"max_bytes", "20", "-1", true}, {"max_bytes", "not set", "20", false}, {"max_msg_size", "20", "x", false},
		{"num_replicas", "1", "3", true}, {"num_replicas", "3", "1", false},
		{"subjects", `["a"]`, `["a","b"]`, true}, {"subjects", `["a","b"]`, `["a"]`, false}, {"subjects", "not set", `["a"]`, false},
		{"deny_purge", "false", "true", true}, {"deny_purge", "true", "false", false},
		{"retention", `"limits"`, `"workqueue"`, false}, {"allow_rollup_hdrs", "not set", "true", false}, {"discard", `"new"`, `"old"`, false},
		{"republish", "not set", `{"src":"a"}`, true}, {"republish", `{"src":"b"}`, `{"src":"a"}`, false}, {"republish", `{"src":"b"}`, "not set", false},
		{"storage", `"file"`, `"memory"`, false}, {"unheard_of", "1", "2", false}, {"filter_subjects", `["a"]`, `["b"]`, true},
	} {
		if d := (admin.Difference{Field: test.field, Have: test.have, Want: test.want}); d.Safe() != test.safe {
			t.Errorf("%+v is safe: %t", d, d.Safe())
		}
	}
}

// An upstream that has to wait delays no other upstream, loses nothing, and gets back the size of what it sent.
func TestPaceOfAnUpstream(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Upstreams = []string{"shop", "game"}
	server := natstest.Start(t)
	c := connect(t, server.URL(), cfg)
	_, js := foreign(t, server.URL())
	held, asked := make(chan struct{}), make(chan int, 64)
	c.PaceIntake(func(ctx context.Context, upstream string, size int) error {
		if upstream != "shop" {
			return nil
		}
		asked <- size
		select {
		case <-held:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	for _, subject := range []string{"shop.deposit.requested.acme.D-1", "shop.deposit.requested.acme.D-2", "game.deposit.requested.acme.G-1"} {
		if _, err := js.PublishMsg(testContext(t), &nats.Msg{Subject: "intake." + subject, Header: nats.Header{"X": {"yz"}}, Data: []byte("body")}); err != nil {
			t.Fatal(err)
		}
	}
	work := func(ctx context.Context) (<-chan events.Message, <-chan error) {
		got, done := make(chan events.Message, 8), make(chan error, 1)
		go func() {
			done <- c.ConsumeIntake(ctx, 2, func(_ context.Context, m events.Message) queue.Verdict {
				got <- m
				return queue.ForwardTo(m.Subject)
			})
		}()
		return got, done
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, done := work(ctx)
	if size := receive(t, asked, "the first of shop"); size < len("body")+len("X")+len("yz") || size > 64+len(events.HeaderUpstream) {
		t.Errorf("its size is %d", size)
	}
	receive(t, asked, "the second of shop")
	if m := receive(t, got, "that of game"); m.Subject != "deposit.requested.acme.G-1" {
		t.Errorf("got %s", m.Subject)
	}
	cancel()
	if err := receive(t, done, "the end"); err != nil {
		t.Error(err)
	}
	if n := messages(t, js, events.IntakeStream("shop")); n != 2 {
		t.Fatalf("%d messages of shop are left, want 2", n)
	}
	close(held)
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	got, _ = work(ctx)
	receive(t, got, "the first of shop, later")
	receive(t, got, "the second of shop, later")
	eventually(t, "all are in COMMANDS", func() bool { return messages(t, js, events.StreamCommands) == 3 })
}
