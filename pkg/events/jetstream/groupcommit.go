package jetstream

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"payonce/pkg/events/jetstream/internal/broker"
	"payonce/pkg/payment"
)

const (
	// maxBatch and maxBatchBytes bound one batch. The server's own limit is 1,000 messages.
	maxBatch, maxBatchBytes = 512, 2 << 20
	// refusedFor is how long appends go one by one after the server refused a batch for another reason than one of its appends.
	refusedFor = time.Minute
)

// groupCommit sends appends of different orders as one atomic batch where that is quicker than one by one: a server that syncs
// every write syncs once for a batch. Appends that come while a batch is in flight go into the next. An append never waits to
// fill a batch: it waits only for what is in flight already, and at most a quarter of the publish timeout.
//
// An append means the same in a batch. Every event has its own expected sequence, and after a batch that was not stored each
// append is sent alone, so that only the stale one is refused ([Conn.Append]).
type groupCommit struct {
	stream  string
	broker  *broker.Client
	log     *slog.Logger
	ready   func(context.Context) error // nil when the stream may be written, see [past.wait]
	longest time.Duration               // how long an append waits at most for what is in flight

	mu       sync.Mutex
	pace     pace
	waiting  []*groupMember
	singles  int       // single appends in flight
	batching bool      // a batch is in flight
	refused  time.Time // no batch before this time
	reported bool      // it was logged that the server refuses batches
}

// groupMember is an append that waits or is in a batch.
type groupMember struct {
	ctx   context.Context
	ref   payment.Ref
	msg   *nats.Msg
	turn  chan struct{} // closed when it is in a batch, or is to go alone
	batch *groupBatch   // nil: alone
	sent  bool          // in the batch; false when its context ended before the batch left
	index int           // of its event in the batch
}

// groupBatch is a batch in flight. Its result is written before done is closed.
type groupBatch struct {
	members []*groupMember
	done    chan struct{}
	first   uint64 // sequence of its first event
	err     error
}

// newGroupCommit returns nil where events are always sent one by one.
func newGroupCommit(stream string, cfg Config, b *broker.Client, log *slog.Logger, ready func(context.Context) error) *groupCommit {
	if cfg.GroupCommit == GroupCommitNever || cfg.GroupCommit == GroupCommitAuto && cfg.Replicas > 1 {
		return nil
	}
	return &groupCommit{
		stream: stream, broker: b, log: log, ready: ready, longest: cfg.PublishTimeout / 4, pace: pace{always: cfg.GroupCommit == GroupCommitAlways},
	}
}

// send sends one event, alone or in a batch. batched reports that it was in a batch: it may be stored then, whatever the error is.
func (g *groupCommit) send(ctx context.Context, ref payment.Ref, msg *nats.Msg) (seq uint64, batched bool, err error) {
	m := &groupMember{ctx: ctx, ref: ref, msg: msg, turn: make(chan struct{})}
	if longest, alone := g.enter(m); !alone {
		g.await(m, longest)
	}
	if m.batch == nil {
		defer func() { g.singleEnded(err == nil) }()
		if ctx.Err() != nil { // it was not sent, which says nothing of the stream
			return 0, false, context.Cause(ctx)
		}
		if err := g.ready(ctx); err != nil { // the connection can have been lost meanwhile
			return 0, false, err
		}
		seq, err := sendAlone(ctx, g.broker, msg)
		return seq, false, err
	}
	select {
	case <-m.batch.done:
	case <-ctx.Done():
		return 0, true, context.Cause(ctx)
	}
	if m.batch.err != nil {
		return 0, true, m.batch.err
	}
	if !m.sent {
		return 0, true, context.Cause(ctx)
	}
	return m.batch.first + uint64(m.index), true, nil
}

// enter reports whether an append may go alone now. If not, the append waits for its turn, at most for longest.
func (g *groupCommit) enter(m *groupMember) (longest time.Duration, alone bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if singles, _ := g.limits(); !g.batching && len(g.waiting) == 0 && g.singles < singles {
		g.singles++
		return 0, true
	}
	g.waiting = append(g.waiting, m)
	g.next()
	return g.longest, false
}

// await waits until an append is in a batch or is to go alone. After longest, or when its context ends, it goes alone.
func (g *groupCommit) await(m *groupMember, longest time.Duration) {
	timer := time.NewTimer(longest)
	defer timer.Stop()
	select {
	case <-m.turn:
		return
	case <-timer.C:
	case <-m.ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, m); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		g.singles++
	}
}

// singleEnded notes that a single append came back and sends what may go next.
func (g *groupCommit) singleEnded(stored bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if stored {
		g.pace.done(g.broker.Now(), 1, false, g.singles+len(g.waiting))
	}
	g.singles--
	g.next()
}

// limits returns how many single appends may be in flight before others wait, and how many must wait for a batch to pay.
func (g *groupCommit) limits() (singles, least int) {
	if !g.refused.IsZero() && g.broker.Now().Before(g.refused) {
		return unlimited, unlimited
	}
	return g.pace.limits()
}

// next sends what waits, as a batch or alone, as far as it may go now. It needs the lock.
func (g *groupCommit) next() {
	for !g.batching && len(g.waiting) > 0 {
		singles, least := g.limits()
		if len(g.waiting) >= least {
			if members := g.choose(); len(members) >= least {
				g.start(members)
				return
			}
		}
		if g.singles >= singles {
			return
		}
		g.singles++
		close(g.waiting[0].turn)
		g.waiting = slices.Delete(g.waiting, 0, 1)
	}
}

// choose returns what can go into one batch, oldest first: one append of each order, see [broker.Client.SendBatch].
func (g *groupCommit) choose() (members []*groupMember) {
	orders, size := make(map[payment.Ref]bool, len(g.waiting)), 0
	for _, m := range g.waiting {
		size += m.msg.Size()
		if len(members) == maxBatch || size > maxBatchBytes {
			break
		}
		if !orders[m.ref] {
			orders[m.ref] = true
			members = append(members, m)
		}
	}
	return members
}

// start sends a batch. It needs the lock.
func (g *groupCommit) start(members []*groupMember) {
	b := &groupBatch{members: members, done: make(chan struct{})}
	for _, m := range members {
		m.batch = b
		close(m.turn)
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(m *groupMember) bool { return m.batch == b })
	g.batching = true
	go g.run(b)
}

// run sends a batch, and then what waits meanwhile.
func (g *groupCommit) run(b *groupBatch) {
	size := g.sendBatch(b)
	close(b.done)
	runtime.Gosched() // those of this batch that append again at once go into the next one, too: two halves would take turns
	g.mu.Lock()
	defer g.mu.Unlock()
	if size > 0 {
		g.batchEnded(b, size)
	}
	g.batching = false
	g.next()
}

// sendBatch sends a batch without the members whose context has ended. It returns how many it sent.
func (g *groupCommit) sendBatch(b *groupBatch) (size int) {
	ctx, cancel := context.WithTimeout(context.Background(), g.broker.PublishTimeout)
	defer cancel()
	if b.err = g.ready(ctx); b.err != nil {
		return 0
	}
	var msgs []*nats.Msg
	for _, m := range b.members {
		if m.ctx.Err() == nil {
			m.sent, m.index = true, len(msgs)
			msgs = append(msgs, m.msg)
		}
	}
	if len(msgs) == 0 {
		return 0
	}
	last, err := g.broker.SendBatch(ctx, msgs)
	if b.err = err; err == nil {
		b.first = last + 1 - uint64(len(msgs))
	}
	return len(msgs)
}

// batchEnded counts and measures a batch, and stops batching for a while when the server refuses batches. It needs the lock.
func (g *groupCommit) batchEnded(b *groupBatch, size int) {
	err := b.err
	count := &g.broker.Count
	count.Batches.Add(1)
	count.BatchedAppends.Add(int64(size))
	if err != nil {
		count.BatchesFailed.Add(1)
	}
	now := g.broker.Now()
	if err == nil {
		g.pace.done(now, size, true, size+g.singles+len(g.waiting))
	}
	if !broker.RefusesBatches(err) {
		return
	}
	g.refused = now.Add(refusedFor)
	if !g.reported {
		g.reported = true
		g.log.Warn("batch of events refused; appending one by one", "stream", g.stream, "error", err,
			"next", "payctl streams diff says whether the stream allows atomic batches; payctl streams apply --update allows them")
	}
}
