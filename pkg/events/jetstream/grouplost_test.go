package jetstream_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/test/natstest"
)

func TestBatchWithLostAcknowledgement(t *testing.T) {
	for name, lost := range map[string]struct {
		answers int32
		hangUp  bool
	}{
		"the acknowledgement": {1, false}, "the connection too": {1, true}, "what the log says of some too": {4, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.StartSynced(t)
			between := startProxy(t, server.Addr())
			c := connect(t, between.url(), alwaysBatching())
			all := firsts("D", 10)
			appendInBatch(t, c, all, func() {
				between.hangUp.Store(lost.hangUp)
				between.lose.Store(lost.answers)
			}, nothing)
			if n := between.lost.Load(); n != lost.answers {
				t.Fatalf("the proxy lost %d: the test proves nothing", n)
			}
			checkStored(t, c, all)
			if got := batches(c); got[0] != 1 || got[2] != 1 {
				t.Errorf("batches, appends and failed: %v", got)
			}
		})
	}
}

// A concurrent writer goes on with some orders while it is not known what became of a batch. None of its events is taken for
// one of the batch, and none is written over.
func TestBatchWithLostAcknowledgementAndConcurrentWriter(t *testing.T) {
	t.Parallel()
	server := natstest.StartSynced(t)
	between := startProxy(t, server.Addr())
	late, concurrent := connect(t, between.url(), alwaysBatching()), connect(t, server.URL(), testConfig())
	all := firsts("D", 6)
	var release func()
	appendInBatch(t, late, all, func() {
		release = between.hold("Nats-Batch-Commit") // it can ask the log only after the concurrent writer
		between.lose.Store(1)
	}, func() {
		defer release()
		for _, a := range all[:2] {
			var begun uint64
			eventually(t, "an event of the batch", func() bool {
				_, seq, err := concurrent.Last(testContext(t), a.payment.Ref)
				begun = seq
				return err == nil
			})
			mustAppend(t, concurrent, paymentOf(a.payment.Ref, payment.InDoubt), begun)
		}
		eventually(t, "a lost acknowledgement", func() bool { return between.lost.Load() == 1 })
	})
	for _, a := range all[:2] {
		if !errors.Is(a.err, events.ErrStale) {
			t.Errorf("%s: %v, want ErrStale, because the payment has moved on", a.payment.Ref, a.err)
		}
	}
	checkStored(t, late, all[2:])
}

// The connection breaks in the middle of a batch: the server commits nothing of it, and each append is made alone.
func TestBatchThatIsCutInTwo(t *testing.T) {
	t.Parallel()
	server := natstest.StartSynced(t)
	between := startProxy(t, server.Addr())
	c := connect(t, between.url(), alwaysBatching())
	all := firsts("D", 10)
	appendInBatch(t, c, all, func() { between.cut("payment.submitting.acme.D-5 ") }, nothing)
	if !between.wasCut() {
		t.Fatal("the connection was not cut: the test proves nothing")
	}
	checkStored(t, c, all)
	if got := batches(c); got[2] != 1 {
		t.Errorf("batches, appends and failed: %v", got)
	}
}

// An append whose caller gives up while it waits is never sent; one whose batch is in flight may be stored, and its caller is not
// told that it isn't.
func TestACallerThatGivesUpWhileOthersWait(t *testing.T) {
	t.Parallel()
	server := natstest.StartSynced(t)
	between := startProxy(t, server.Addr())
	cfg := alwaysBatching()
	cfg.PublishTimeout = 5 * time.Second
	c := connect(t, between.url(), cfg)
	all := firsts("D", 6)
	waits, giveUp := context.WithCancel(t.Context())
	inFlight, giveUpToo := context.WithCancel(t.Context())
	all[2].ctx, all[4].ctx = waits, inFlight
	appendInBatch(t, c, all, func() {
		giveUp()
		between.lose.Store(1)
	}, func() {
		eventually(t, "a lost acknowledgement", func() bool { return between.lost.Load() == 1 })
		giveUpToo()
	})
	for _, a := range []*appended{all[2], all[4]} {
		if !errors.Is(a.err, context.Canceled) || errors.Is(a.err, events.ErrStale) {
			t.Errorf("%s: %v", a.payment.Ref, a.err)
		}
	}
	if _, _, err := c.Last(testContext(t), all[2].payment.Ref); !errors.Is(err, events.ErrNoPayment) {
		t.Errorf("it was sent after its caller gave up: %v", err)
	}
	if _, _, err := c.Last(testContext(t), all[4].payment.Ref); err != nil {
		t.Errorf("the batch was sent already: %v", err)
	}
	checkStored(t, c, []*appended{all[0], all[1], all[3], all[5]})
}

// An append waits for what is in flight, but not for long: an acknowledgement may never come.
func TestAppendsDoNotWaitForALostBatch(t *testing.T) {
	t.Parallel()
	server := natstest.StartSynced(t)
	between := startProxy(t, server.Addr())
	cfg := alwaysBatching()
	cfg.PublishTimeout = 20 * time.Second
	cfg.AckWait = time.Hour
	c := connect(t, between.url(), cfg)
	all := firsts("D", 4)
	late := &appended{payment: paymentOf(ref("late"), payment.Submitting)}
	appendInBatch(t, c, all, func() { between.lose.Store(1) }, func() {
		eventually(t, "a lost acknowledgement", func() bool { return between.lost.Load() == 1 })
		c.LimitAppendWait(100 * time.Millisecond)
		late.seq, late.err = c.Append(testContext(t), late.payment, 0)
		if batches(c)[0] != 0 {
			t.Error("the batch came back: the test proves nothing")
		}
	})
	checkStored(t, c, append(all, late))
}
