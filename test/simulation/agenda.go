package simulation

import (
	"container/heap"
	"time"
)

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
	heap.Push(a, planned)
}

// next takes the first entry off the agenda.
func (a *agenda) next() entry {
	first := heap.Pop(a).(*entry)
	a.done = append(a.done, first)
	return *first
}

func (a *agenda) Len() int { return len(a.entries) }
func (a *agenda) Less(i, j int) bool {
	x, y := a.entries[i], a.entries[j]
	return x.at < y.at || x.at == y.at && x.n < y.n
}
func (a *agenda) Swap(i, j int) { a.entries[i], a.entries[j] = a.entries[j], a.entries[i] }
func (a *agenda) Push(x any)    { a.entries = append(a.entries, x.(*entry)) }
func (a *agenda) Pop() any {
	last := a.entries[len(a.entries)-1]
	a.entries = a.entries[:len(a.entries)-1]
	return last
}
