package simulation

import (
	"iter"
	"time"
)

// coroutine runs one handler after the other, so that each finds a stack that has grown already: to grow
// one for every delivery takes an eighth of the time of a run.
type coroutine struct {
	task  *task
	next  func() (time.Duration, bool)
	end   func()
	yield func(time.Duration) bool // asks to be resumed after a while; false: the process is dead
}

// idle is what a coroutine yields that has nothing to do.
const idle = time.Duration(-1)

// coroutineFor returns a coroutine that will work on a task.
func (w *world) coroutineFor(t *task) *coroutine {
	if last := len(w.idle) - 1; last >= 0 {
		c := w.idle[last]
		w.idle, c.task = w.idle[:last], t
		return c
	}
	c := &coroutine{task: t}
	c.next, c.end = iter.Pull(func(yield func(time.Duration) bool) {
		c.yield = func(d time.Duration) bool { return yield(d) && !c.task.p.dead }
		for c.work(); yield(idle); c.work() {
		}
	})
	return c
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
		w.idle = append(w.idle, c)
	}
	return pause, pause != idle
}
