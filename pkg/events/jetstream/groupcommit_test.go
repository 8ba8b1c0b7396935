package jetstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	njs "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/jetstreamtest"
	"payonce/test/natstest"
	"payonce/test/testenv"
)

// alwaysBatching is the configuration of a connection that makes a batch whenever two appends wait.
func alwaysBatching() jetstream.Config {
	cfg := testConfig()
	cfg.GroupCommit = jetstream.GroupCommitAlways
	return cfg
}

// appended is an append and what came of it.
type appended struct {
	payment payment.Payment
	after   uint64
	ctx     context.Context // nil: the test's
	seq     uint64
	err     error
}

// firsts are first events of new orders.
func firsts(prefix string, n int) []*appended {
	all := make([]*appended, n)
	for i, r := range orders(prefix, n) {
		all[i] = &appended{payment: paymentOf(r, payment.Submitting)}
	}
	return all
}

// appendInBatch queues appends, releases them as one batch and waits for the result of each. before is called before the release,
// during after it.
func appendInBatch(t *testing.T, c *admin.Conn, all []*appended, before, during func()) {
	t.Helper()
	waiting, release := c.QueueAppends()
	var ended sync.WaitGroup
	for i, a := range all {
		ctx := a.ctx
		if ctx == nil {
			ctx = testContext(t)
		}
		ended.Go(func() { a.seq, a.err = c.Append(ctx, a.payment, a.after) })
		eventually(t, "an append that waits", func() bool { return waiting() == i+1 }) // in this order
	}
	before()
	release()
	during()
	ended.Wait()
}

func nothing() {}

// checkStored makes sure that each append is in the log as its answer says.
func checkStored(t *testing.T, c *admin.Conn, all []*appended) {
	t.Helper()
	for _, a := range all {
		if a.err != nil {
			t.Errorf("%s: %v", a.payment.Ref, a.err)
			continue
		}
		records, err := c.History(testContext(t), a.payment.Ref)
		found := 0
		for _, r := range records {
			if r.Payment.Status == a.payment.Status {
				found++
				if r.Sequence != a.seq {
					t.Errorf("%s: stored at %d, but %d was returned", a.payment.Ref, r.Sequence, a.seq)
				}
			}
		}
		if err != nil || found != 1 {
			t.Errorf("%s: %d times in the log, %v", a.payment.Ref, found, err)
		}
	}
}

// batches returns how many batches a connection has sent, how many appends were in them, and how many failed.
func batches(c *admin.Conn) [3]int64 {
	count := &c.Broker().Count
	return [3]int64{count.Batches.Load(), count.BatchedAppends.Load(), count.BatchesFailed.Load()}
}

func TestConcurrentAppendsAreOneBatch(t *testing.T) {
	t.Parallel()
	c := connect(t, natstest.StartSynced(t).URL(), alwaysBatching())
	all := firsts("D", 20)
	appendInBatch(t, c, all, nothing, nothing)
	checkStored(t, c, all)
	if got := batches(c); got != [3]int64{1, 20, 0} {
		t.Errorf("batches, appends and failed: %v", got)
	}
	alone := &appended{payment: paymentOf(ref("alone"), payment.Submitting)} // it does not wait to fill a batch
	alone.seq, alone.err = c.Append(testContext(t), alone.payment, 0)
	checkStored(t, c, []*appended{alone})
	if got := batches(c); got[0] != 1 {
		t.Error("a single append became a batch")
	}
}

// When a batch is refused because of one append, all others are stored, and only that one is told that it was stale.
func TestARefusedBatchRefusesOneAppend(t *testing.T) {
	t.Parallel()
	c := connect(t, natstest.StartSynced(t).URL(), alwaysBatching())
	all := firsts("D", 10)
	late := all[4]
	mustAppend(t, c, paymentOf(late.payment.Ref, payment.InDoubt), 0)
	appendInBatch(t, c, all, nothing, nothing)
	if !errors.Is(late.err, events.ErrStale) {
		t.Errorf("the late append: %v", late.err)
	}
	checkStored(t, c, slices.Delete(all, 4, 5))
	if got := batches(c); got != [3]int64{1, 10, 1} {
		t.Errorf("batches, appends and failed: %v", got)
	}
}

// That a batch was refused proves nothing about its events: each append asks the log before it says that it was too late.
func TestARefusedBatchThatIsStored(t *testing.T) {
	t.Parallel()
	server := natstest.StartSynced(t)
	between := startProxy(t, server.Addr())
	c := connect(t, between.url(), alwaysBatching())
	all := firsts("D", 10)
	appendInBatch(t, c, all, func() { between.lie.Store(true) }, nothing)
	checkStored(t, c, all)
	if got := batches(c); got != [3]int64{1, 10, 1} {
		t.Errorf("batches, appends and failed: %v", got)
	}
}

// The server takes both of two appends of an order that are in one batch: they must never be.
func TestAnOrderIsInABatchOnce(t *testing.T) {
	t.Parallel()
	server := natstest.StartSynced(t)
	c := connect(t, server.URL(), alwaysBatching())
	var twice []*nats.Msg
	for i, status := range []payment.Status{payment.Settled, payment.Failed} {
		out, err := events.EncodePayment(paymentOf(ref("twice"), status), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		twice = append(twice, &nats.Msg{Subject: out.Subject, Data: out.Data, Header: nats.Header{
			njs.ExpectedLastSubjSeqHeader: {"0"}, njs.ExpectedLastSubjSeqSubjHeader: {events.PaymentFilter(ref("twice"))},
		}})
	}
	if _, err := c.Broker().SendBatch(testContext(t), twice); err != nil {
		t.Errorf("nats-server refuses it now (%v): correct the comment of SendBatch", err)
	}
	all := firsts("D", 3)
	all = append(all, &appended{payment: paymentOf(ref("D-0"), payment.Failed)}, &appended{payment: paymentOf(ref("D-0"), payment.InDoubt)})
	appendInBatch(t, c, all, nothing, nothing)
	checkStored(t, c, all[:3])
	for _, late := range all[3:] {
		if !errors.Is(late.err, events.ErrStale) {
			t.Errorf("another append of the same order: %v", late.err)
		}
	}
	if records, err := c.History(testContext(t), ref("D-0")); err != nil || len(records) != 1 {
		t.Errorf("%d events, %v", len(records), err)
	}
}

// A log that refuses batches, because its stream was made by an older version, gets appends one by one. One line says so.
func TestAppendsWhereTheLogRefusesBatches(t *testing.T) {
	t.Parallel()
	server := natstest.StartSynced(t)
	connect(t, server.URL(), testConfig())
	_, js := foreign(t, server.URL())
	stream, err := js.Stream(testContext(t), events.StreamPayments)
	if err != nil {
		t.Fatal(err)
	}
	older := stream.CachedInfo().Config
	older.AllowAtomicPublish = false
	if _, err := js.UpdateStream(testContext(t), older); err != nil {
		t.Fatal(err)
	}
	var log testenv.Logs
	o := options(t, server.URL(), alwaysBatching())
	o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	c, err := jetstreamtest.Dial(testContext(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.EnsureStreams(testContext(t)); err != nil {
		t.Fatalf("a program does not start with a log that refuses batches: %v", err)
	}
	for i := range 2 {
		all := firsts(fmt.Sprintf("D%d", i), 10)
		appendInBatch(t, c, all, nothing, nothing)
		checkStored(t, c, all)
	}
	if got := batches(c); got != [3]int64{1, 10, 1} {
		t.Errorf("batches, appends and failed: %v", got)
	}
	if text := log.String(); strings.Count(text, "batch of events refused") != 1 || !strings.Contains(text, "payctl streams apply") {
		t.Errorf("the log says %q", text)
	}
	differences, err := c.CheckStreams(testContext(t))
	if err != nil || len(differences) != 1 || differences[0].Field != "allow_atomic" || !differences[0].Safe() {
		t.Errorf("%v, %v", differences, err)
	}
	if _, err := c.ApplyStreams(testContext(t), true); err != nil {
		t.Error(err)
	}
	if differences, err := c.CheckStreams(testContext(t)); err != nil || len(differences) > 0 {
		t.Errorf("%v, %v", differences, err)
	}
}

// What customers must do is stored in batches as well, before the events that name it; where the stream refuses batches, one by
// one. All of it can be read.
func TestActionsAreStoredInBatches(t *testing.T) {
	for name, allowed := range map[string]bool{"allowed": true, "an older stream": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.StartSynced(t)
			c := connect(t, server.URL(), alwaysBatching())
			_, js := foreign(t, server.URL())
			stream, err := js.Stream(testContext(t), events.StreamActions)
			if err != nil {
				t.Fatal(err)
			}
			config := stream.CachedInfo().Config
			config.AllowAtomicPublish = allowed
			if _, err := js.UpdateStream(testContext(t), config); err != nil {
				t.Fatal(err)
			}
			const n = 12
			waiting, release := c.QueueActions()
			var ended sync.WaitGroup
			for i, r := range orders("D", n) {
				p := paymentOf(r, payment.Pending)
				p.Action = &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example.com/" + r.Order}}
				ended.Go(func() {
					if _, err := c.Append(testContext(t), p, 0); err != nil {
						t.Error(err)
					}
				})
				eventually(t, "an action that waits", func() bool { return waiting() == i+1 })
			}
			release()
			ended.Wait()
			batched := 0
			for _, r := range orders("D", n) {
				p, _, err := c.Last(testContext(t), r)
				if err == nil {
					p, err = c.Actions(testContext(t), p)
				}
				if err != nil || p.Action == nil || p.Action.Redirect == nil || p.Action.Redirect.URL != "https://pay.example.com/"+r.Order {
					t.Errorf("%s: %+v, %v", r, p.Action, err)
				}
			}
			for seq := range uint64(n) {
				m, err := stream.GetMsg(testContext(t), seq+1)
				if err != nil {
					t.Fatal(err)
				}
				if m.Header.Get("Nats-Batch-Id") != "" {
					batched++
				}
			}
			if info, err := stream.Info(testContext(t)); err != nil || info.State.Msgs != n {
				t.Errorf("%+v, %v", info, err)
			}
			if want := map[bool]int{true: n, false: 0}[allowed]; batched != want {
				t.Errorf("%d were stored in a batch, want %d", batched, want)
			}
		})
	}
}

// Races for the same orders over two connections that both append in batches, on one server and on three: one winner each.
func TestOfTwoBatchedAppendsOneWins(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (one, other *admin.Conn){
		"one server": func(t *testing.T) (one, other *admin.Conn) {
			url := natstest.StartSynced(t).URL()
			return connect(t, url, alwaysBatching()), connect(t, url, alwaysBatching())
		},
		"three servers": func(t *testing.T) (one, other *admin.Conn) {
			nodes := natstest.NewCluster(t)
			for _, node := range nodes {
				node.Restart()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 4*timeout)
			t.Cleanup(cancel)
			return batchingCluster(ctx, t, nodes), batchingCluster(ctx, t, nodes)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, other := start(t)
			const races, at = 400, 40
			var group errgroup.Group
			group.SetLimit(at)
			for race := range races {
				group.Go(func() error { raceOnce(t, one, other, ref(fmt.Sprintf("R-%d", race))); return nil })
			}
			_ = group.Wait()
			for _, c := range []*admin.Conn{one, other} {
				got := batches(c)
				t.Logf("batches, appends and failed: %v", got)
				if got[1] < races/4 {
					t.Error("too few appends were in batches: the test proves little")
				}
			}
		})
	}
}

func batchingCluster(ctx context.Context, t *testing.T, nodes []*natstest.Server) *admin.Conn {
	t.Helper()
	o := clusterOptions(t, nodes)
	o.Config.GroupCommit = jetstream.GroupCommitAlways
	conn, err := jetstreamtest.Dial(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.EnsureStreams(ctx); err != nil {
		t.Fatal(err)
	}
	return conn
}
