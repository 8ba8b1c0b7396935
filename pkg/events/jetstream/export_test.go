package jetstream

import "time"

// HoldAppends has appends wait, however long, as if a batch were on its way. release ends that, and waiting counts them.
func (c *Conn) HoldAppends() (waiting func() int, release func()) { return c.group.hold() }

// HoldActions is HoldAppends of what customers must do.
func (c *Conn) HoldActions() (waiting func() int, release func()) { return c.actionGroup.hold() }

func (g *groupCommit) hold() (waiting func() int, release func()) {
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

// WaitForAppends sets how long an append waits for others at most.
func (c *Conn) WaitForAppends(longest time.Duration) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	c.group.longest = longest
}
