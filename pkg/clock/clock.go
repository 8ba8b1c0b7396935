// Package clock gives a process the time of the broker. Times that processes compare with each other, or write into
// the log, come from one clock, so that no machine's clock decides about a payment.
//
// The broker's time is measured again and again. Between two measurements the machine's monotonic clock carries
// it on: that clock cannot be set. A [Clock] knows how far it may be wrong, and says when that is too far to work with
// ([Clock.Check]).
package clock

import (
	"sync"
	"time"
)

// Reading is what the two clocks of a machine show at one moment.
type Reading struct {
	Wall time.Time     // without a monotonic reading
	Mono time.Duration // since any fixed moment; it may stand still while the machine is suspended
}

// Machine returns a function that reads the clocks of this machine. now is time.Now, or another clock in a test.
func Machine(now func() time.Time) func() Reading {
	start := now()
	return func() Reading {
		at := now()
		return Reading{Wall: at.Round(0), Mono: at.Sub(start)}
	}
}

// Limits say what [Clock.Check] allows.
type Limits struct {
	// Bound is how far the times of two processes may differ; each may be wrong by half of it. No process
	// measures better than LeastBound under load: a smaller bound is taken for that.
	Bound time.Duration
	// Difference is how far this machine's own clock may differ from the broker's; 0 allows any difference.
	Difference time.Duration
	// Steady is how long the broker's time must be steady after it jumped.
	Steady time.Duration
}

const (
	// LeastBound is the smallest Limits.Bound that has an effect.
	LeastBound = 200 * time.Millisecond
	// drift bounds how far a machine's monotonic clock goes wrong, as a part of the time since the last measurement.
	// NTP slews each of two clocks by one part in 2000.
	drift = 1.0 / 1000
)

// Clock is the broker's time as this process knows it. Until the first measurement it is the machine's own time. All
// methods are safe for concurrent use.
type Clock struct {
	local func() Reading

	mu       sync.Mutex
	limits   Limits
	base     time.Time     // what the broker shows at the monotonic time 0, give or take; without a monotonic reading
	lo, hi   time.Duration // the broker's time at the monotonic time 0 lies between base + lo and base + hi
	measured bool
	last     Reading       // of this machine, at the last measurement
	steady   time.Duration // the monotonic time from which on the broker's time is trusted again
	jump     time.Duration // by how much it jumped then
}

// New returns a clock that has measured nothing. local reads the clocks of this machine and is called concurrently.
func New(local func() Reading, limits Limits) *Clock {
	return &Clock{local: local, limits: limits}
}

// Allow changes the limits.
func (c *Clock) Allow(limits Limits) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limits = limits
}

// Now returns the broker's time, without a monotonic reading.
func (c *Clock) Now() time.Time {
	local := c.local()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at(local)
}

func (c *Clock) at(local Reading) time.Time {
	if !c.measured {
		return local.Wall
	}
	return c.base.Add(local.Mono + (c.lo+c.hi)/2)
}

// Local reads the clocks of this machine, for [Clock.Observe].
func (c *Clock) Local() Reading { return c.local() }

// Observe takes a measurement: the broker's clock showed at at some moment between sent and received.
//
// Each measurement says between which two values the difference of the two clocks lies. Those that agree narrow it
// down, so that one slow answer makes nothing worse. One that contradicts those before replaces them: the
// broker has another clock (it was set, or another server leads), or this machine stood still without noticing.
// If that is more than one process may be wrong by, Check waits until what was written by the clock before is old.
func (c *Clock) Observe(sent, received Reading, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at = at.Round(0)
	if !c.measured {
		c.base = at.Add(-received.Mono)
		c.lo, c.hi = 0, received.Mono-sent.Mono
		c.measured, c.last = true, received
		return
	}
	since := at.Sub(c.base)
	lo, hi := since-received.Mono, since-sent.Mono
	grown := drifted(received.Mono - c.last.Mono)
	before, after := c.lo-grown, c.hi+grown
	gap := max(before-hi, lo-after) // between the two, more than 0 if they contradict each other
	if gap > 0 {
		if gap > c.allowed() && gap > c.stood(received) {
			c.steady, c.jump = received.Mono+c.limits.Steady, gap
		}
		c.lo, c.hi = lo, hi
	} else {
		c.lo, c.hi = max(lo, before), min(hi, after)
	}
	c.last = received
}

// stood is how far the wall clock has moved ahead of the monotonic one since the last measurement, with what this
// process may be wrong by: that a machine was suspended for so long explains a jump of the same length.
func (c *Clock) stood(now Reading) time.Duration {
	return c.parted(now) + c.allowed()
}

// parted is by how much the wall clock has moved more than the monotonic one since the last measurement. It was set, or
// the machine was suspended.
func (c *Clock) parted(now Reading) time.Duration {
	return now.Wall.Sub(c.last.Wall) - (now.Mono - c.last.Mono)
}

func drifted(since time.Duration) time.Duration { return time.Duration(float64(max(since, 0)) * drift) }

// allowed is how far one process may be wrong.
func (c *Clock) allowed() time.Duration { return max(c.limits.Bound, LeastBound) / 2 }

func (c *Clock) uncertainty(now Reading) time.Duration {
	return (c.hi-c.lo)/2 + drifted(now.Mono-c.last.Mono)
}

// State is what a clock knows about itself.
type State struct {
	// Measured says that the broker's time was measured; nothing else is known before.
	Measured bool
	// Difference is how far this machine's clock is ahead of the broker's; less than 0 where it is behind.
	Difference time.Duration
	// Uncertainty is how far the broker's time may be wrong.
	Uncertainty time.Duration
	// Age is how long ago it was measured.
	Age time.Duration
	// Allowed is how large it may be, by the limits.
	Allowed time.Duration
	// Jumped says that this machine's wall clock was set, or the machine suspended, since then.
	Jumped bool
	// Unsteady is for how long the broker's time is not trusted yet, because it jumped by Jump.
	Unsteady, Jump time.Duration
}

// State returns what the clock knows about itself now.
func (c *Clock) State() State {
	local := c.local()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.measured {
		return State{}
	}
	s := State{
		Measured: true, Difference: local.Wall.Sub(c.at(local)), Uncertainty: c.uncertainty(local), Allowed: c.allowed(),
		Age:    local.Mono - c.last.Mono,
		Jumped: c.parted(local).Abs() > c.allowed(),
	}
	if left := c.steady - local.Mono; left > 0 {
		s.Unsteady, s.Jump = left, c.jump
	}
	return s
}
