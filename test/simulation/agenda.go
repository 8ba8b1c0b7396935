package simulation

import "time"

// agenda is what will happen, the next thing first. What is planned for the same time happens in the order of planning.
type agenda struct {
	entries []*entry
	done    []*entry // reused: a run plans some hundred
	made    int
}

// entry is what will happen at a time.
type entry struct {
	at      time.Duration // since epoch
	n       int
	resumed *task  // goes on then
	do      func() // where no task does
}

// after puts something on the agenda.
func (w *world) after(d time.Duration, do func()) { w.agenda.plan(entry{at: w.now + d, do: do}) }

// resume lets a task go on after a while.
func (w *world) resume(d time.Duration, t *task) { w.agenda.plan(entry{at: w.now + d, resumed: t}) }

// plan puts an entry into the heap. It is not container/heap, which calls each comparison by an interface: a run plans some
// hundred entries.
func (a *agenda) plan(e entry) {
	a.made++
	e.n = a.made
	var planned *entry
	if last := len(a.done) - 1; last >= 0 {
		planned, a.done = a.done[last], a.done[:last]
	} else {
		planned = new(entry)
	}
	*planned = e
	a.entries = append(a.entries, planned)
	for at := len(a.entries) - 1; at > 0; {
		above := (at - 1) / 2
		if a.entries[above].before(planned) {
			break
		}
		a.entries[at], a.entries[above] = a.entries[above], planned
		at = above
	}
}

// next takes the first entry off the agenda.
func (a *agenda) next() entry {
	first, last := a.entries[0], len(a.entries)-1
	moved := a.entries[last]
	a.entries = a.entries[:last]
	for at, below := 0, 1; at < last; at, below = below, 2*below+1 {
		if below+1 < last && a.entries[below+1].before(a.entries[below]) {
			below++
		}
		if below >= last || moved.before(a.entries[below]) {
			a.entries[at] = moved
			break
		}
		a.entries[at] = a.entries[below]
	}
	a.done = append(a.done, first)
	return *first
}

// clear forgets all entries, and keeps their memory.
func (a *agenda) clear() {
	a.done = append(a.done, a.entries...)
	for _, e := range a.done {
		*e = entry{}
	}
	clear(a.entries)
	a.entries, a.made = a.entries[:0], 0
}

func (e *entry) before(other *entry) bool {
	return e.at < other.at || e.at == other.at && e.n < other.n
}
