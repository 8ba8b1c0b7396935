package simulation

import (
	"iter"
	"runtime"
	"sync"
	"time"

	"payonce/pkg/payment"
)

// coroutine runs one handler after the other, in one run after the other, so that each finds a stack that has grown
// already: to grow one for every run took an eighth of its time.
type coroutine struct {
	task  *task
	next  func() (time.Duration, bool)
	yield func(time.Duration) bool // asks to be resumed after a while; false: the process is dead
}

// idle is what a coroutine yields that has nothing to do.
const idle = time.Duration(-1)

// room is how much of its stack a coroutine uses while it is idle. The garbage collector halves a stack of which less than
// a quarter is used, so that it would have to grow again; handlers need less than four times as much.
const room = 16 << 10

// pool is what a run leaves to another: its idle coroutines, and memory in which nothing is.
type pool struct {
	idle    []*coroutine
	agenda  agenda
	scratch []byte
	past    []payment.Payment
}

// pools are those of the runs that have ended. A run takes that of another, or begins with an empty one.
var pools struct {
	mu   sync.Mutex
	free []pool
}

// takePool gives the run the pool of one that has ended.
func (w *world) takePool() {
	pools.mu.Lock()
	defer pools.mu.Unlock()
	if last := len(pools.free) - 1; last >= 0 {
		w.pool, pools.free = pools.free[last], pools.free[:last]
	}
}

// returnPool leaves the pool to another run. All coroutines are idle, because all processes are dead. What the buffers refer to
// is of this run: it is cleared.
func (w *world) returnPool() {
	w.agenda.clear()
	clear(w.past[:cap(w.past)])
	pools.mu.Lock()
	defer pools.mu.Unlock()
	pools.free, w.pool = append(pools.free, w.pool), pool{}
}

// coroutineFor returns a coroutine that will work on a task.
func (w *world) coroutineFor(t *task) *coroutine {
	if last := len(w.idle) - 1; last >= 0 {
		c := w.idle[last]
		w.idle, c.task = w.idle[:last], t
		return c
	}
	c := &coroutine{task: t}
	c.next, _ = iter.Pull(c.run) // it is never stopped, because another run uses it
	return c
}

// run works on one task after the other.
func (c *coroutine) run(yield func(time.Duration) bool) {
	var used [room]byte
	c.yield = func(d time.Duration) bool { return yield(d) && !c.task.p.dead }
	for c.work(); yield(idle); c.work() {
	}
	runtime.KeepAlive(&used)
}

// work lets the handler come to its end, or to the end of its process.
func (c *coroutine) work() {
	defer func() {
		if cause := recover(); cause != nil && cause != errCrash {
			panic(cause)
		}
	}()
	c.task.verdict = c.task.handle(c.task.p.ctx, c.task.m.Message)
	c.task.ended = true
}

// resume lets the task run on. It returns false when the task is over and the coroutine free for another.
func (c *coroutine) resume() (time.Duration, bool) {
	w := c.task.p.w
	pause, _ := c.next()
	if pause == idle {
		c.task = nil // it refers to all of its run
		w.idle = append(w.idle, c)
	}
	return pause, pause != idle
}
