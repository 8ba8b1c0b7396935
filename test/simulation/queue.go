package simulation

import (
	"maps"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// message is one message of a stream.
type message struct {
	events.Message
	stream      string
	ref         payment.Ref
	fingerprint string           // of a command
	command     *payment.Command // that it is; nil for another message
	asked       *payment.Payment // that the command asks for
	read        bool             // the command was read from its bytes, see values.go
	gone        bool             // acknowledged
	step        int              // of the timer, for an event of the log
	crowded     bool             // others wait behind it
	waits       time.Duration    // since when it waits behind one whose look-ups hang
}

// deadLetter is a message that was given up.
type deadLetter struct {
	*message
	reason events.DeadReason
}

// publish stores a message and has it delivered.
func (w *world) publish(m message) {
	kept := &m
	kept.Sequence, kept.StoredAt, kept.Deliveries = uint64(len(w.messages)+1), w.time(), 0
	w.messages = append(w.messages, kept)
	if w.tracing {
		w.note("queue: %s is %s %d", m.Subject, m.stream, kept.Sequence)
	}
	wait := w.latency()
	if w.fails(deliveryLate) {
		wait = w.between(0, time.Minute)
	}
	w.after(wait, func() { w.deliver(kept) })
}

// deliver hands a message to a process.
func (w *world) deliver(m *message) {
	if m.gone || w.behind(m) {
		return
	}
	p := w.anyProcess()
	if p == nil {
		w.after(time.Second, func() { w.deliver(m) })
		return
	}
	m.Deliveries++
	if w.tracing {
		w.note("%s gets %s %d, delivery %d", p.name, m.stream, m.Sequence, m.Deliveries)
	}
	m.gone = w.mutant.acknowledgeFirst
	if p.frozen > w.now {
		w.silent(m, m.Deliveries)
	}
	handle := p.engine.Command
	switch _, long := events.SubjectRef(m.Subject); {
	case m.stream == events.StreamPayments:
		handle, m.Pending = p.timer(m.step).Handle, w.pending(m)
	case m.stream == events.StreamWebhooks:
		handle = p.engine.Webhook
	case !long:
		handle = p.engine.Intake
	}
	if w.mutant.stored != nil {
		handle = w.mutant.stored(p, handle)
	}
	p.begin(m, handle)
}

// anyProcess draws one that takes messages.
func (w *world) anyProcess() *process {
	able := w.able[:0]
	for _, p := range w.processes {
		if !p.dead && !p.person && !p.told {
			able = append(able, p)
		}
	}
	if w.able = able; len(able) == 0 {
		return nil
	}
	return able[w.rng.IntN(len(able))]
}

// redeliver delivers a message again if its n-th delivery is still the last.
func (w *world) redeliver(m *message, n int) {
	if m.Deliveries != n || m.gone {
		return
	}
	if w.mutant.dropUnheard {
		m.gone = true
		return
	}
	w.deliver(m)
}

// settle carries out a verdict, as pkg/events/jetstream does.
func (w *world) settle(t *task) {
	m, v := t.m, t.verdict
	if w.mutant.verdict != nil {
		v = w.mutant.verdict(m, v)
	}
	if w.tracing {
		w.note("%s is done with %s %d: %s", t.p.name, m.stream, m.Sequence,
			[...]string{"retry in " + v.Delay.String(), "done", "park until " + v.At.Format(time.TimeOnly), "dead, " + string(v.Reason) + ": " + v.Detail, "forward"}[v.Kind])
	}
	w.judgeAcknowledged(t, v)
	w.hangs(t, v)
	if v.Kind == queue.Retry {
		w.after(max(v.Delay, time.Millisecond), func() {
			if m.Deliveries == t.n {
				w.deliver(m)
			}
		})
		return
	}
	if v.Kind != queue.Done && w.fails(settleFails) {
		w.after(5*time.Second, func() { w.redeliver(m, t.n) })
		return
	}
	switch v.Kind {
	case queue.Park:
		w.park(m, v.At)
	case queue.Dead:
		w.dead = append(w.dead, deadLetter{m, v.Reason})
	case queue.Forward:
		on := m.again()
		on.Subject, on.read = v.Subject, false
		w.publish(on)
	}
	w.acknowledge(m, t.n)
}

func (w *world) acknowledge(m *message, n int) {
	switch {
	case w.fails(ackLost):
		w.silent(m, n)
	case w.fails(ackLate):
		w.silent(m, n)
		w.after(w.between(0, 2*ackWait), func() { m.gone = true })
	default:
		m.gone = true
	}
}

// again is a message to publish once more, which remembers when the first of its kind was stored.
func (m *message) again() message {
	next := *m
	next.gone = false
	if m.Header.Get(events.HeaderRequestedAt) == "" {
		next.read = false // its header is another
		next.Header = maps.Clone(m.Header)
		next.Header[events.HeaderRequestedAt] = []string{m.StoredAt.Format(time.RFC3339Nano)}
	}
	return next
}

// schedule is a parked command. The broker delivers it unless another took its place.
type schedule struct {
	m   message
	due time.Time
}

// park holds a command or a webhook until at. There is one parked command for each order, and of two times the
// earlier counts.
func (w *world) park(m *message, at time.Time) {
	round := w.mutant.schedule
	if round == nil {
		round = roundUp
	}
	s := &schedule{m: m.again(), due: round(at)}
	if m.stream != events.StreamCommands { // webhooks of one order are held side by side
		w.fire(s.due, func() { w.publish(s.m) })
		return
	}
	if held := w.parked[m.ref]; held != nil {
		if !s.due.Before(held.due) {
			return
		}
		s.m = held.m
	}
	w.hold(s)
}

// hold puts a schedule in the place of any other of its order.
func (w *world) hold(s *schedule) {
	w.parked[s.m.ref] = s
	w.fire(s.due, func() {
		if w.parked[s.m.ref] == s {
			delete(w.parked, s.m.ref)
			w.publish(s.m)
		}
	})
}

// fire delivers what was parked: schedules have whole seconds and may fire up to a second early.
func (w *world) fire(due time.Time, do func()) {
	if !w.mutant.loseParked {
		w.after(max(due.Sub(w.time())-w.between(0, time.Second), 0), do)
	}
}

// roundUp makes whole seconds that are not too early.
func roundUp(at time.Time) time.Time { return at.Add(time.Second - 1).Truncate(time.Second) }
