package clock

import (
	"errors"
	"fmt"
	"time"
)

// Reasons why a process must not work by this clock. Check wraps them.
var (
	// ErrUnmeasured: the broker was not asked for its time yet, or gave none.
	ErrUnmeasured = errors.New("the broker's time is not known yet")
	// ErrJumped: this machine's clock was set, or the machine stood still, since the broker was asked.
	ErrJumped = errors.New("this machine's clock jumped")
	// ErrUncertain: the broker was asked too long ago, or answers too slowly.
	ErrUncertain = errors.New("the broker's time is not known well enough")
	// ErrUnsteady: the broker's clock jumped; times from before and after cannot be compared.
	ErrUnsteady = errors.New("the broker's clock jumped")
	// ErrDiffers: this machine's clock is too far from the broker's.
	ErrDiffers = errors.New("this machine's clock is wrong, or the broker's")
)

// Check returns nil while times of this process can be compared with those of others, or else why not. Every reason
// ends by itself, with the next measurement or when the clock is right again.
func (c *Clock) Check() error {
	s := c.State()
	c.mu.Lock()
	limit := c.limits.Difference
	c.mu.Unlock()
	switch {
	case !s.Measured:
		return ErrUnmeasured
	case s.Jumped:
		return fmt.Errorf("%w: the broker is asked for its time again", ErrJumped)
	case s.Uncertainty > s.Allowed:
		return fmt.Errorf("%w: give or take %s, and %s are allowed; it was measured %s ago", ErrUncertain,
			show(s.Uncertainty), show(s.Allowed), show(s.Age))
	case limit > 0 && s.Exceeds(limit):
		return fmt.Errorf("%w: it is %s, and %s are allowed", ErrDiffers, s.Direction(), show(limit))
	case s.Unsteady > 0:
		return fmt.Errorf("%w by %s: earlier timestamps are wrong for %s more", ErrUnsteady, show(s.Jump), show(s.Unsteady))
	}
	return nil
}

// Direction says how far this machine's clock differs from the broker's, for people: "10m0s behind the broker's".
func (s State) Direction() string {
	if s.Difference < 0 {
		return show(-s.Difference) + " behind the broker's"
	}
	return show(s.Difference) + " ahead of the broker's"
}

// Exceeds reports whether this machine's clock certainly differs from the broker's by more than limit.
func (s State) Exceeds(limit time.Duration) bool {
	return s.Measured && s.Difference.Abs()-s.Uncertainty > limit
}

// show leaves out what is too small to matter.
func show(d time.Duration) string {
	if d >= time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
