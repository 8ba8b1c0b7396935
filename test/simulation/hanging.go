package simulation

import (
	"slices"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/queue"
)

// maxHanging is how long after the last fault look-ups about an order may go on to get no answer.
const maxHanging = 30 * time.Minute

// step is one step of the lookup schedule, as the broker keeps it: it hands out as many events as may wait for their time,
// and the others wait behind these. An order whose look-ups hang stands for as many orders as that.
type step struct {
	hanging *message   // look-ups of it hang; nil for none
	waiting []*message // behind it
}

// step returns the step of an event.
func (w *world) step(m *message) *step {
	for len(w.steps) <= m.step {
		w.steps = append(w.steps, &step{})
	}
	return w.steps[m.step]
}

// drawHanging draws until when look-ups about an order get no answer.
func (w *world) drawHanging(o *order) {
	if w.chance(lookupHangs) {
		o.hangs = w.between(0, w.calm+maxHanging)
	}
}

// hang is a look-up that gets no answer until its call is given up.
func (t *task) hang(deadline time.Duration) {
	t.hung = true
	t.wait(max(deadline-t.p.mono(), 0))
}

// behind reports whether an event must wait behind one whose look-ups hang, and comes again then. While that one's provider
// is closed it is not asked about, and does not hang.
func (w *world) behind(m *message) bool {
	if m.stream != events.StreamPayments || m.Deliveries > 0 {
		return false
	}
	s := w.step(m)
	if h := s.hanging; h == nil || h.gone || h.Sequence >= m.Sequence || w.now >= w.orderOf(h.ref).hangs || !w.isOpen(h) {
		s.waiting = slices.DeleteFunc(s.waiting, func(other *message) bool { return other == m })
		return false
	}
	if !slices.Contains(s.waiting, m) {
		m.waits = w.now
		s.waiting = append(s.waiting, m)
		w.note("event %d waits behind %d", m.Sequence, s.hanging.Sequence)
	}
	w.after(10*time.Second, func() { w.deliver(m) })
	return true
}

func (w *world) isOpen(m *message) bool {
	return w.hours[w.orderOf(m.ref).cmd.Operation].engine.Open(w.time())
}

// hangs notes that a look-up had no answer and is to be repeated, and checks that it does not hold up others: those that
// wait are due, as all that was handed out before is by then.
func (w *world) hangs(t *task, v queue.Verdict) {
	m := t.m
	if m.stream != events.StreamPayments || !t.hung || v.Kind != queue.Retry {
		return
	}
	s, timer := w.step(m), w.processes[0].timer(m.step)
	s.hanging = m
	if w.now < w.calm+maxFreeze+measureEvery { // a process may have stood still
		return
	}
	if w.log.last(m.ref).seq != m.Sequence { // moved on during the look-up: the next delivery is done with it
		return
	}
	for _, other := range s.waiting {
		if w.now-other.waits > timer.life+timer.after+2*maxSkew {
			w.problem("%s: its look-up waits behind one of %s that gets no answer", other.ref.Order, m.ref.Order)
			return
		}
	}
}

// pending is what the broker says of an event that it hands out: how many others are not handed out.
func (w *world) pending(m *message) uint64 {
	waiting := uint64(len(w.step(m).waiting))
	if m.crowded {
		waiting++
	}
	return waiting
}
