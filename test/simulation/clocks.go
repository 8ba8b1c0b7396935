package simulation

import (
	"context"
	"time"
	"unsafe"
)

// maxSkew is how far the time of a process is ahead of the broker's or behind, as it has measured it: two of them differ
// by the clock bound at most. maxFreeze is how long a process stands still.
const maxSkew, maxFreeze = 2 * time.Second, 5 * time.Minute

const (
	// maxSet is how far the wall clock of a machine is wrong at first, and by how much it is set back at once.
	maxSet = 10 * time.Second
	// measureEvery is within what time a process has measured the broker's time again.
	measureEvery = 30 * time.Second
	// maxUncorrected is how long a machine does not notice that its wall clock has stood still.
	maxUncorrected = time.Minute
)

// clocks are what a process reads the time from.
type clocks struct {
	skew time.Duration // its time is ahead of the broker's by this much, within maxSkew
	slow time.Duration // and behind by this much after a suspension, until it is measured again
	wall time.Duration // the machine's wall clock is ahead by this much
	open time.Duration // for so long the monotonic clock has stood still
}

// clock is the broker's time as the process knows it.
func (p *process) clock() time.Time { return p.w.time().Add(p.clocks.skew - p.clocks.slow) }

// mono is the monotonic clock of its machine.
func (p *process) mono() time.Duration { return p.w.now - p.clocks.open }

// drawClocks are those of a process that starts.
func (w *world) drawClocks() clocks {
	return clocks{skew: w.extreme(-maxSkew, maxSkew), wall: w.between(-maxSet, maxSet)}
}

// extreme draws a duration, often one of the two ends, where a mistake of a millisecond shows.
func (w *world) extreme(from, to time.Duration) time.Duration {
	switch w.rng.IntN(4) {
	case 0:
		return from
	case 1:
		return to
	}
	return w.between(from, to)
}

// now is the time that the engine compares with that of others. A process can be suspended just before it looks.
func (p *process) now() time.Time {
	t := p.looks()
	if t != nil && p.clocks.slow > 0 {
		t.slow = true
	}
	if t != nil && t.hoursAsked && p.w.now == max(t.hoursAt, p.frozen) { // its time can have moved since it asked for the hours
		if t.hours.engine.Open(p.clock()) {
			t.sawOpen, t.openAt = true, p.w.now
		} else {
			t.sawClosed = true
		}
	}
	return p.clock()
}

// measure asks the broker for its time.
func (p *process) measure(context.Context) error {
	w := p.w
	t := w.current
	t.disturb()
	t.travel()
	if w.fails(readFails) {
		return errPort
	}
	p.clocks.slow = 0
	return nil
}

// local is the clock of the machine, by which the engine measures its leases.
func (p *process) local() time.Time {
	t := p.looks()
	if t != nil && t.started == 0 {
		t.started, t.seen = p.w.now, seen{}
	}
	wall, mono := p.w.time().Add(p.clocks.wall), p.mono()
	if t != nil && p.w.mutant.clock != nil {
		return p.w.mutant.clock(t, wall, mono)
	}
	return reading(wall, mono)
}

func (p *process) looks() *task {
	t := p.w.current
	if t == nil || p.dead {
		return nil
	}
	t.asked = p.mono()
	t.disturb()
	t.looked = p.w.now
	return t
}

// setClock sets the wall clock of a machine.
func (p *process) setClock(ahead time.Duration) {
	p.clocks.wall = ahead
	p.w.note("%s's wall clock is ahead by %s now", p.name, p.clocks.wall)
	for _, t := range p.tasks {
		t.seen.set = true
	}
}

// suspend stops the machine with its monotonic clock; where it is paused, as a hypervisor does it, the wall clock stands
// still, too.
func (t *task) suspend(pause bool) {
	p, w := t.p, t.p.w
	long, what := t.standstill(), "is suspended"
	p.clocks.open += long
	p.clocks.slow += long
	w.after(long+w.between(0, measureEvery), func() { p.clocks.slow -= min(long, p.clocks.slow) })
	for _, other := range p.tasks {
		other.seen.paused, other.seen.suspended = other.seen.paused || pause, true
	}
	if pause {
		what = "is paused"
		p.clocks.wall -= long
		w.after(long+w.between(0, maxUncorrected), func() { p.clocks.wall += long })
	}
	w.note("%s %s for %s", p.name, what, long)
	t.freeze(long)
}

// standstill draws for how long a process stands still: often just until its request may not leave any more, or a bit
// longer. Its wall clock may be set back when it wakes.
func (t *task) standstill() time.Duration {
	w := t.p.w
	if w.rates[clockSet] > 0 {
		t.p.setClock(t.p.clocks.wall - maxSet)
	}
	if left := t.started + timing().Lease - timing().SubmitTimeout - w.now; left > 0 && w.rng.IntN(2) == 0 {
		if w.rng.IntN(2) == 0 {
			return left + w.between(0, 5*time.Second)
		}
		return max(left-w.between(0, time.Second), time.Millisecond)
	}
	return w.between(time.Second, maxFreeze)
}

// seen is what happened to the clocks of a process while a task was at work.
type seen struct {
	paused    bool // both clocks stood still
	suspended bool // the monotonic clock stood still
	set       bool // the wall clock was set
}

// blind reports whether no clock of the machine shows how much time has passed.
func (s seen) blind() bool { return s.paused || s.suspended && s.set }

// exposed reports whether a request of a process is in the window that no check closes (docs/failure-modes.md): it
// takes microseconds, so no pause of both clocks falls into it here.
func (p *process) exposed() bool {
	for _, t := range p.tasks {
		if t.exposed {
			return true
		}
	}
	return false
}

// reading returns a time as time.Now makes it: its wall clock and its monotonic clock are read separately. Nothing in
// package time makes one from two given clocks.
func reading(wall time.Time, mono time.Duration) time.Time {
	const sinceYear1885, monotonic = 2682288000, 1 << 63 // seconds before 1970; the flag of a monotonic reading
	t := struct {
		wall uint64
		ext  int64
		loc  *time.Location
	}{wall: monotonic | uint64(wall.Unix()+sinceYear1885)<<30 | uint64(wall.Nanosecond()), ext: int64(mono)}
	return *(*time.Time)(unsafe.Pointer(&t))
}
