package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

// One server of three is left. Nothing is acknowledged that only one server has: every write ends without an
// answer, and its writer must try again. With a second server back, all that was acknowledged is there once,
// what waited is delivered, and of the two outcomes that were tried in the dark one is written.
func TestLostQuorumAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	nodes := natstest.NewCluster(t)
	for _, node := range nodes {
		node.Restart()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*timeout)
	t.Cleanup(cancel)
	one, other := clusterConnection(ctx, t, nodes), clusterConnection(ctx, t, nodes)
	publish(t, one, ref("before"))
	intent, err := appendOnce(ctx, one, paymentOf(ref("D-1"), payment.Submitting), 0)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := []payment.Payment{second(payment.Settled), second(payment.Failed)}

	nodes[1].Stop()
	nodes[2].Stop()
	for i, conn := range []*admin.Conn{one, other} {
		for what, write := range writesOf(conn, outcomes[i], intent, i) {
			short, cancel := context.WithTimeout(ctx, 2*time.Second)
			err := write(short)
			concurrent := i == 1 && errors.Is(err, events.ErrStale) // the other's outcome is on its way, as far as this server knows
			if !tryAgain(err) && !concurrent {
				t.Errorf("%s with one server of three: %v", what, err)
			}
			cancel()
		}
	}

	nodes[1].Restart()
	writeAgain(ctx, t, one, other, outcomes, intent)
	nodes[2].Restart()
	var mu sync.Mutex
	stored := map[string]map[uint64]bool{} // by subject, the sequences: one can be delivered again when leaders change
	consuming(t, one, 1, func(_ context.Context, m events.Message) queue.Verdict {
		mu.Lock()
		defer mu.Unlock()
		if stored[m.Subject] == nil {
			stored[m.Subject] = map[uint64]bool{}
		}
		stored[m.Subject][m.Sequence] = true
		return queue.Acknowledge()
	})
	_, js := foreign(t, nodes[0].URL())
	eventually(t, "an empty queue", func() bool { return messages(t, js, events.StreamCommands) == 0 })
	mu.Lock()
	defer mu.Unlock()
	for _, order := range []string{"before", "dark-0", "dark-1"} {
		if subject := events.CommandSubject(payment.Deposit, ref(order)); len(stored[subject]) != 1 {
			t.Errorf("%s was stored %d times", subject, len(stored[subject]))
		}
	}
	if n := messages(t, js, events.StreamWebhooks); n != 2 {
		t.Errorf("%d webhooks are stored, want 2", n)
	}
	var records []events.Record
	eventually(t, "the history", func() bool { // a replica may lag behind
		short, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		records, err = one.History(short, ref("D-1"))
		return err == nil && len(records) >= 2
	})
	if err != nil || len(records) != 2 || !records[1].Payment.Status.Ended() {
		t.Errorf("%d events of D-1, %v", len(records), err)
	}
}

func clusterConnection(ctx context.Context, t *testing.T, nodes []*natstest.Server) *admin.Conn {
	t.Helper()
	conn, err := jetstreamtest.Dial(ctx, clusterOptions(t, nodes))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	return conn
}

// second is the second event of D-1.
func second(status payment.Status) payment.Payment {
	p := paymentOf(ref("D-1"), status)
	p.Revision = 2
	return p
}

// writesOf are the writes that upstreams, providers and workers ask for.
func writesOf(conn *admin.Conn, outcome payment.Payment, intent uint64, i int) map[string]func(context.Context) error {
	dark := ref(fmt.Sprintf("dark-%d", i))
	return map[string]func(context.Context) error{
		"a command": func(ctx context.Context) error { return conn.PublishCommand(ctx, command(dark, "dark")) },
		"a webhook": func(ctx context.Context) error {
			return conn.PublishWebhook(ctx, events.Outgoing{Subject: events.WebhookSubject(dark), Data: []byte("{}")}, "id of "+dark.Order)
		},
		"an outcome": func(ctx context.Context) error {
			_, err := conn.Append(ctx, outcome, intent)
			return err
		},
	}
}

// tryAgain says that an error leaves open whether the write was stored: neither success nor a refusal.
func tryAgain(err error) bool {
	return err != nil && !errors.Is(err, events.ErrStale) && !errors.Is(err, events.ErrQueued)
}

// writeAgain repeats every write until it is answered, as those who asked for it do. Both outcomes are tried at
// the same time, and one of them must be refused.
func writeAgain(ctx context.Context, t *testing.T, one, other *admin.Conn, outcomes []payment.Payment, intent uint64) {
	t.Helper()
	type answer struct {
		what string
		err  error
	}
	answers := make(chan answer, 6)
	for i, conn := range []*admin.Conn{one, other} {
		for what, write := range writesOf(conn, outcomes[i], intent, i) {
			go func() { answers <- answer{what, untilAnswered(ctx, write)} }()
		}
	}
	refused := 0
	for range cap(answers) {
		switch a := receive(t, answers, "an answer"); {
		case a.what == "an outcome" && errors.Is(a.err, events.ErrStale):
			refused++
		case a.what == "a command" && errors.Is(a.err, events.ErrQueued): // the one of the dark was stored after all
		case a.err != nil:
			t.Errorf("%s: %v", a.what, a.err)
		}
	}
	// An outcome that was tried in the dark can turn out to be stored, and then both of now are refused.
	if refused == 0 {
		t.Error("both outcomes are acknowledged")
	}
}

func untilAnswered(ctx context.Context, write func(context.Context) error) error {
	for {
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := write(short)
		cancel()
		if !tryAgain(err) || ctx.Err() != nil {
			return err
		}
	}
}
