package jetstream

import "time"

// QueueAppends makes appends wait, however long, as if a batch were in flight. waiting counts them; release sends them.
func (c *Conn) QueueAppends() (waiting func() int, release func()) { return c.group.queue() }

// QueueActions is QueueAppends for what customers must do.
func (c *Conn) QueueActions() (waiting func() int, release func()) { return c.actionGroup.queue() }

func (g *groupCommit) queue() (waiting func() int, release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.batching, g.longest = true, time.Hour
	return func() int {
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.waiting)
		}, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.batching = false
			g.next()
		}
}

// LimitAppendWait sets how long an append waits at most for what is in flight.
func (c *Conn) LimitAppendWait(longest time.Duration) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.longest = longest
}
