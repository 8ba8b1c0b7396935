package jetstream_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
)

func clusterOptions(t *testing.T, nodes []*natstest.Server) jetstream.Options {
	cfg := testConfig()
	cfg.Replicas = 3
	o := options(t, "", cfg)
	o.URLs = nil
	for _, node := range nodes {
		o.URLs = append(o.URLs, node.URL())
	}
	return o
}

// A cluster without a leader drops what it is asked. Who begins then must ask again, and not wait for an
// answer that never comes.
func TestBeginWhileTheClusterHasNoLeader(t *testing.T) {
	t.Parallel()
	nodes := natstest.NewCluster(t)
	nodes[0].Restart() // one of three: no leader
	ctx := testContext(t)
	type begun struct {
		conn *admin.Conn
		err  error
	}
	done := make(chan begun, 1)
	go func() {
		conn, err := jetstreamtest.Dial(ctx, clusterOptions(t, nodes))
		done <- begun{conn, err}
	}()
	eventually(t, "a client at the first server", func() bool { return nodes[0].Clients() > 0 })
	select {
	case b := <-done:
		t.Fatalf("connected to a cluster without a leader: %v", b.err)
	case <-time.After(time.Second): // the first question is lost now
	}
	nodes[1].Restart()
	nodes[2].Restart()
	b := receive(t, done, "the connection")
	if b.err != nil {
		t.Fatal(b.err)
	}
	t.Cleanup(func() { _ = b.conn.Close() })
	if err := b.conn.EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	nodes[1].Stop()
	nodes[2].Stop()
	got := make(chan string, 100) // one that was not acknowledged in time comes, too
	consuming(t, b.conn, 1, func(_ context.Context, m events.Message) queue.Verdict {
		got <- string(m.Data)
		return queue.Acknowledge()
	})
	eventually(t, "trouble of the consumer", func() bool {
		err := b.conn.Ready()
		return err != nil && strings.Contains(err.Error(), "commands-acme")
	})
	nodes[1].Restart()
	nodes[2].Restart()
	eventually(t, "a command in the queue", func() bool {
		short, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		return b.conn.PublishCommand(short, command(ref("D-1"), "late")) == nil
	})
	if body := receive(t, got, "the command"); body != "late" {
		t.Errorf("got %q", body)
	}
}

// The leader of the log goes away in the middle of appends, again and again: each payment keeps one list
// of events, and each append says the truth about itself.
func TestAppendWhileLeadersChange(t *testing.T) {
	t.Parallel()
	nodes := natstest.NewCluster(t)
	for _, node := range nodes {
		node.Restart()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*timeout)
	t.Cleanup(cancel)
	conn := clusterConnection(ctx, t, nodes)
	const writers, each, changes = 4, 60, 3
	ended := make(chan error, writers)
	for i := range writers {
		go func() { ended <- appendAll(ctx, conn, orders("w"+string(rune('a'+i)), each)) }()
	}
	for range changes {
		leader := leaderOf(t, nodes, events.StreamPayments)
		leader.Stop()
		eventually(t, "another leader", func() bool {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			_, _, err := conn.Last(short, ref("nobody"))
			return errors.Is(err, events.ErrNoPayment)
		})
		leader.Restart()
	}
	for range writers {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	for i := range writers {
		for _, r := range orders("w"+string(rune('a'+i)), each) {
			var records []events.Record
			eventually(t, "both events of "+r.String(), func() bool { // a replica may lag behind
				short, cancel := context.WithTimeout(ctx, 10*time.Second)
				defer cancel()
				var err error
				records, err = conn.History(short, r)
				return err == nil && len(records) >= 2
			})
			if len(records) != 2 || records[0].Payment.Status != payment.Submitting || records[1].Payment.Status != payment.Settled {
				t.Errorf("%s: %d events", r, len(records))
			}
		}
	}
}

// appendAll writes two events for each order, as a worker does that reads again after every error.
func appendAll(ctx context.Context, conn *admin.Conn, refs []payment.Ref) error {
	for _, r := range refs {
		seq := uint64(0)
		for n, status := range []payment.Status{payment.Submitting, payment.Settled} {
			p := paymentOf(r, status)
			p.Revision = n + 1
			next, err := appendOnce(ctx, conn, p, seq)
			if err != nil {
				return err
			}
			seq = next
		}
	}
	return nil
}

func appendOnce(ctx context.Context, conn *admin.Conn, p payment.Payment, after uint64) (uint64, error) {
	for {
		short, cancel := context.WithTimeout(ctx, time.Second)
		seq, err := conn.Append(short, p, after)
		cancel()
		if err == nil || ctx.Err() != nil {
			return seq, err
		}
		short, cancel = context.WithTimeout(ctx, time.Second) // a server that stops takes a question with it
		last, seq, err := conn.Last(short, p.Ref)             // what became of it?
		cancel()
		if err == nil && last.Revision == p.Revision {
			return seq, nil
		}
	}
}

// leaderOf returns the server that leads a stream.
func leaderOf(t *testing.T, nodes []*natstest.Server, stream string) *natstest.Server {
	t.Helper()
	var found *natstest.Server
	eventually(t, "a leader of "+stream, func() bool {
		for _, node := range nodes {
			_, js := foreign(t, node.URL())
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			handle, err := js.Stream(ctx, stream)
			cancel()
			if err != nil || handle.CachedInfo().Cluster == nil {
				continue
			}
			for _, one := range nodes {
				if one.Name() == handle.CachedInfo().Cluster.Leader {
					found = one
					return true
				}
			}
		}
		return false
	})
	return found
}
