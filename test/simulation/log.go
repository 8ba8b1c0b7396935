package simulation

import (
	"context"
	"errors"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// errUnheard is what a log says whose reply was lost: it is not known whether it wrote.
var errUnheard = errors.New("no reply from the log")

// maxBehind is how far a replica of the log can be behind.
const maxBehind = 1500 * time.Millisecond

type logEvent struct {
	seq    uint64
	at     time.Duration
	stands payment.Payment // as it is read from the event's bytes, see values.go
}

// memoryLog is a log with a true compare-and-set.
type memoryLog struct {
	w     *world
	seq   uint64
	lists map[payment.Ref][]*logEvent
}

func newMemoryLog(w *world) *memoryLog {
	return &memoryLog{w: w, lists: map[payment.Ref][]*logEvent{}}
}

// noEvent is the last event of an order that has none.
var noEvent = &logEvent{}

func (l *memoryLog) last(ref payment.Ref) *logEvent {
	if list := l.lists[ref]; len(list) > 0 {
		return list[len(list)-1]
	}
	return noEvent
}

// at returns a payment as an event says it.
func (l *memoryLog) at(ref payment.Ref, seq uint64) payment.Payment {
	for _, e := range l.lists[ref] {
		if e.seq == seq {
			return e.stands
		}
	}
	return payment.Payment{}
}

// write is the compare-and-set.
func (l *memoryLog) write(p payment.Payment, data []byte, after uint64) (uint64, error) {
	if l.last(p.Ref).seq != after {
		l.w.note("  log %s: %s after %d is stale", p.Order, p.Status, after)
		return 0, events.ErrStale
	}
	return l.force(p, data), nil
}

// force writes without a look at what is there.
func (l *memoryLog) force(p payment.Payment, data []byte) uint64 {
	l.seq++
	event := &logEvent{l.seq, l.w.now, l.w.readBack(p, l.seq, data)}
	list := l.lists[p.Ref]
	if list == nil {
		list = make([]*logEvent, 0, 8) // most orders have fewer
	}
	l.w.countApproval(&l.last(p.Ref).stands, &event.stands)
	l.lists[p.Ref] = append(list, event)
	if r, known := l.w.claims.records[p.Ref]; known {
		r.memory = event
		l.w.claims.records[p.Ref] = r
	}
	l.w.remind(&event.stands, l.seq, data)
	l.w.judgePage(event.stands)
	l.w.handOver(event.stands)
	if l.w.tracing {
		l.w.note("  log %s: %s is event %d, revision %d, attempts %d%s", p.Order, p.Status, l.seq, p.Revision, p.Attempts, because(p))
	}
	return l.seq
}

func because(p payment.Payment) string {
	if p.Reason == nil {
		return ""
	}
	return ", " + p.Reason.Code
}

// read returns a payment as it stood a while ago.
func (l *memoryLog) read(ref payment.Ref, behind time.Duration) (payment.Payment, uint64, error) {
	list := l.lists[ref]
	for len(list) > 0 && behind > 0 && list[len(list)-1].at > l.w.now-behind {
		list = list[:len(list)-1]
	}
	if len(list) == 0 {
		return payment.Payment{}, 0, events.ErrNoPayment
	}
	last := list[len(list)-1]
	if l.w.mutant.undated {
		return last.stands, last.seq, nil
	}
	return last.stands.AsStored(epoch.Add(last.at)), last.seq, nil
}

// readEvent returns an event as its bytes were read when it was written: to read them again for each timer, each time,
// took a tenth of a run.
func (l *memoryLog) readEvent(subject string, seq uint64, data []byte) (payment.Payment, error) {
	if ref, ok := events.SubjectRef(subject); ok {
		if p := l.at(ref, seq); p.Ref == ref {
			return p, nil
		}
	}
	return events.ReadPayment(subject, seq, data)
}

// history returns all events of an order, until it is called again.
func (l *memoryLog) history(ref payment.Ref) []payment.Payment {
	l.w.past = l.w.past[:0]
	for _, event := range l.lists[ref] {
		l.w.past = append(l.w.past, event.stands)
	}
	return l.w.past
}

// intendedAt is when the last request of a payment began, as its intent says.
func (l *memoryLog) intendedAt(p payment.Payment) time.Time {
	at := p.SubmittedAt
	for _, event := range l.lists[p.Ref] {
		if event.stands.Status == payment.Submitting {
			at = event.stands.SubmittedAt
		}
	}
	return at
}

// logPort is the log as one process reaches it.
type logPort struct{ p *process }

func (l logPort) Append(_ context.Context, next payment.Payment, after uint64) (uint64, error) {
	if l.p.w.mutant.undated && next.Status == payment.InDoubt {
		next.SubmittedAt = l.p.w.log.intendedAt(next)
	}
	data, err := l.p.w.encode(next)
	if err != nil {
		return 0, err
	}
	t, err := l.p.call()
	if err != nil {
		return 0, err
	}
	w := l.p.w
	t.exposed = false
	w.judgeReason(t, next)
	w.judgeTold(t, next, after)
	w.judgeDown(t, next)
	if w.batching.on && !l.p.person {
		if m := l.p.appendInBatch(t, next, data, after); !m.alone {
			return m.seq, m.err
		}
	}
	t.travel()
	switch {
	case w.fails(appendUnwritten):
		w.note("%s append %s: not written, no reply", l.p.name, next.Order)
		return 0, errUnheard
	case w.fails(appendLate):
		w.note("%s append %s: no reply yet", l.p.name, next.Order)
		w.writeLater(next, data, after)
		return 0, errUnheard
	}
	seq, err := w.log.write(next, data, after)
	if err == nil && next.Status == payment.Submitting {
		t.intended(next)
	}
	unheard := w.fails(appendUnheard)
	t.travel()
	if unheard {
		w.note("%s append %s: the reply is lost", l.p.name, next.Order)
		return 0, errUnheard
	}
	return seq, err
}

// writeLater writes what its writer was told nothing of, if it still may be written then.
func (w *world) writeLater(p payment.Payment, data []byte, after uint64) {
	w.after(w.between(0, timing().SubmitTimeout), func() { _, _ = w.log.write(p, data, after) })
}

// Actions has nothing to add: the simulated log keeps all of a payment in its events.
func (l logPort) Actions(_ context.Context, p payment.Payment) (payment.Payment, error) {
	return p, nil
}

func (l logPort) Last(_ context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	t, err := l.p.call()
	if err != nil {
		return payment.Payment{}, 0, err
	}
	w := l.p.w
	t.travel()
	t.exposed = false
	if w.fails(readFails) {
		return payment.Payment{}, 0, errPort
	}
	behind := time.Duration(0)
	if w.fails(readStale) {
		behind = w.between(0, maxBehind)
		w.note("%s reads %s as it was %s ago", l.p.name, ref.Order, behind)
	}
	p, seq, err := w.log.read(ref, behind)
	t.exposed, t.logFenced = t.fenced != nil, t.fenced != nil
	t.travel()
	return p, seq, err
}
