package faults

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/internal/streamconfig"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/payment"
	"payonce/test/testenv"
)

// brokerKills is how often the broker is killed, and raced how many orders two connections race for at the same time.
const brokerKills, raced = 4, 48

// contest is the answers to two writers that append the intent of one order.
type contest struct {
	ref  payment.Ref
	seqs [2]uint64
	errs [2]error
}

// nats-server is killed with SIGKILL again and again while two connections append in batches and race for the same orders. An
// append that was acknowledged is in the log, no order has two intents, and the loser of a race is told so.
func TestBrokerKilledInTheMiddleOfBatches(t *testing.T) {
	t.Parallel()
	ctx := within(t, timeout)
	server := testenv.StartNATS(t, t.TempDir(), testenv.NATSOptions{})
	cfg := streamconfig.Of(config.Defaults())
	cfg.GroupCommit, cfg.PublishTimeout = jetstream.GroupCommitAlways, 500*time.Millisecond
	var logs [2]*admin.Conn
	for i := range logs {
		logs[i] = testenv.Connect(t, jetstream.Options{URLs: []string{server.URL}, Config: cfg})
	}
	testenv.Must(t, logs[0].EnsureStreams(ctx))
	var over atomic.Bool
	done := make(chan *contest, 1<<20)
	var writers errgroup.Group
	for w := range raced {
		writers.Go(func() error {
			for n := 0; !over.Load(); n++ {
				r := &contest{ref: payment.Ref{Provider: testenv.TeemoPay, Order: fmt.Sprintf("kill-%d-%d", w, n)}}
				r.run(ctx, logs)
				done <- r
			}
			return nil
		})
	}
	batched := func() int64 { return logs[0].Broker().Count.Batches.Load() + logs[1].Broker().Count.Batches.Load() }
	for range brokerKills {
		before := batched()
		testenv.Await(ctx, t, "batches", func() bool { return batched() > before+20 })
		server.Kill()
		server.Start()
	}
	over.Store(true)
	testenv.Must(t, writers.Wait())
	close(done)
	checked := 0
	for r := range done {
		r.check(ctx, t, logs[0])
		checked++
	}
	t.Logf("%d orders, %d batches, of which %d failed", checked, batched(), logs[0].Broker().Count.BatchesFailed.Load()+logs[1].Broker().Count.BatchesFailed.Load())
}

// run appends the same intent over both connections.
func (r *contest) run(ctx context.Context, logs [2]*admin.Conn) {
	var both errgroup.Group
	for i, log := range logs {
		both.Go(func() error {
			p := payment.Payment{
				Ref: r.ref, Operation: payment.Deposit, Status: payment.Submitting, Revision: 1, Attempts: i + 1,
				Amount: payment.KRW(10_000), UpdatedAt: time.Now().UTC(),
			}
			r.seqs[i], r.errs[i] = log.Append(ctx, p, 0)
			return nil
		})
	}
	_ = both.Wait()
}

// check compares what the writers were told with the log.
func (r *contest) check(ctx context.Context, t *testing.T, log *admin.Conn) {
	t.Helper()
	records, err := log.History(ctx, r.ref)
	if err != nil || len(records) != 1 {
		t.Fatalf("%s: %d events, %v; the writers were told %v", r.ref, len(records), err, r.errs)
	}
	winner := records[0].Payment.Attempts - 1
	for i, err := range r.errs {
		switch {
		case i == winner && (err != nil || r.seqs[i] != records[0].Sequence):
			t.Errorf("%s: the event at %d is of writer %d, who was told %d, %v", r.ref, records[0].Sequence, i, r.seqs[i], err)
		case i != winner && !errors.Is(err, events.ErrStale):
			t.Errorf("%s: writer %d lost and was told %d, %v", r.ref, i, r.seqs[i], err)
		}
	}
}
