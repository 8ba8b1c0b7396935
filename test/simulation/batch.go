package simulation

import (
	"math/rand/v2"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// maxGathering is how long appends of a process wait for the batch before theirs. It is much longer than in reality, so that
// the few orders of a run meet in one.
const maxGathering = 3 * time.Second

// batching draws what happens to batches. It draws from numbers of its own: a run whose workers append one by one is the same
// as without batches.
type batching struct {
	rng *rand.Rand
	on  bool // the workers of this run append in batches
}

func (w *world) drawBatching(seed uint64) {
	w.batching.rng = rand.New(rand.NewPCG(seed, 0xBF58476D1CE4E5B9))
	w.batching.on = w.batching.rng.IntN(3) == 0
	for _, f := range batchFaults {
		w.rates[f] = [...]float64{0, 0.1, 0.3}[w.batching.rng.IntN(3)]
	}
}

// batch is appends of a process of which all are written, or none.
type batch struct {
	p       *process
	at      time.Duration // when the log gets it
	members []*member
}

// member is an append in a batch, and the answer to it.
type member struct {
	t     *task
	next  payment.Payment
	data  []byte
	after uint64
	seq   uint64
	err   error
	alone bool // the batch was refused: append it alone
}

// appendInBatch appends in a batch with what else its process appends at this time. The member that it returns has the answer,
// unless it says alone.
func (p *process) appendInBatch(t *task, next payment.Payment, data []byte, after uint64) *member {
	w, m := p.w, &member{t: t, next: next, data: data, after: after}
	b := p.batch
	if b == nil || b.at <= w.now || b.has(next.Ref) && !w.mutant.orderTwice {
		b = &batch{p: p, at: w.now + time.Duration(w.batching.rng.Int64N(int64(maxGathering)))}
		p.batch = b
		w.after(b.at-w.now, func() { w.write(b) })
	}
	b.members = append(b.members, m)
	t.wait(b.at - w.now)
	t.travel()
	return m
}

func (b *batch) has(ref payment.Ref) bool {
	for _, m := range b.members {
		if m.next.Ref == ref {
			return true
		}
	}
	return false
}

// write is what becomes of a batch at the log.
func (w *world) write(b *batch) {
	switch {
	case b.p.dead && w.batching.rng.IntN(2) == 0:
		return // it was not sent
	case len(b.members) > 1:
		w.happened[batched]++
		w.note("%s appends a batch of %d events", b.p.name, len(b.members))
	}
	switch {
	case w.fails(batchLost):
		w.note("%s batch: not written, no reply", b.p.name)
		b.answer(errUnheard)
		if w.batching.rng.IntN(2) == 0 {
			w.after(w.between(0, timing().SubmitTimeout), func() { w.commit(b, false) })
		}
	case w.fails(batchRefused):
		w.note("%s batch: refused", b.p.name)
		b.refused()
	case !w.commit(b, true):
		w.happened[batchStale]++
		b.refused()
	case w.fails(batchUnheard):
		w.note("%s batch: the reply is lost", b.p.name)
		b.answer(errUnheard)
	}
}

// commit writes all events of a batch, or none. As nats-server does, it compares each with what the log had before the batch. heard
// says that its answer may still arrive.
func (w *world) commit(b *batch, heard bool) bool {
	for _, m := range b.members {
		if w.log.last(m.next.Ref).seq != m.after {
			w.note("%s batch: %s after %d is stale", b.p.name, m.next.Order, m.after)
			return false
		}
	}
	for _, m := range b.members {
		m.seq = w.log.force(m.next, m.data)
		if heard && !b.p.dead && m.next.Status == payment.Submitting {
			m.t.intended(m.next)
		}
	}
	return true
}

// answer tells all appends of a batch the same.
func (b *batch) answer(err error) {
	for _, m := range b.members {
		m.err = err
		switch mutant := b.p.w.mutant; {
		case err == nil:
		case mutant.unheardBatchStored:
			m.seq, m.err = b.p.w.log.last(m.next.Ref).seq, nil
		case mutant.unheardBatchStale:
			m.err = events.ErrStale
		}
	}
}

// refused makes each append of a batch go alone.
func (b *batch) refused() {
	for _, m := range b.members {
		m.alone = !b.p.w.mutant.refusedBatchStored
		m.seq = b.p.w.log.last(m.next.Ref).seq // for the mutant
	}
}
