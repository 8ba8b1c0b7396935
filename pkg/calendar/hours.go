// Package calendar knows when a payment provider is open. It is pure: no clock, no file, no network.
// What depends on the country is in the configuration, because public holidays are announced at short
// notice.
//
// A provider is open while the clock on its wall shows a time within its hours. So an hour that a
// change to summer time leaves out is not open time, and one that is shown twice is open twice.
package calendar

import "time"

const (
	// Horizon is how far ahead the calendar looks. What lies farther away counts as never.
	Horizon = 400 * 24 * time.Hour
	// WarnBefore is how long before the list of closed days runs out the warning begins.
	WarnBefore = 30 * 24 * time.Hour
)

// Hours are the opening hours of a provider, made by [Parse]. The zero Hours are always open. Hours do
// not change and are safe for concurrent use. Times that are returned are in the location of the time
// that was given.
//
// Margins count as closed, in all methods: nothing is sent in the time after an opening and before a
// closing that the configuration sets aside.
type Hours struct {
	zone          *time.Location   // nil is always open
	week          [7][]interval    // by time.Weekday; each day in order and without overlaps
	closed        map[int64]string // extra closed days: name by number, see dayOf
	knownUntil    time.Time        // the end of the last day for which closed days are known; zero if nothing runs out
	knownDate     string           // that day, as it was configured
	afterOpening  time.Duration
	beforeClosing time.Duration
}

// interval is a part of a day: open at from, closed at to, in seconds of the wall clock since midnight.
type interval struct {
	from, to int64
	begun    bool // the day before: it does not happen when that day is closed
}

// Open reports whether the provider is open at t.
func (h Hours) Open(t time.Time) bool {
	open := false
	h.spans(t, t, func(from, _ time.Time) bool {
		open = !from.After(t)
		return false
	})
	return open
}

// NextOpening returns the first open instant at or after t: t itself while open. It returns false when
// there is none within the [Horizon].
func (h Hours) NextOpening(t time.Time) (time.Time, bool) {
	var at time.Time
	until, opens := t.Add(Horizon), false
	h.spans(t, until, func(from, _ time.Time) bool {
		at, opens = within(from, until)
		return false
	})
	return at, opens
}

// NextClosing returns the first closed instant at or after t: t itself while closed. It returns false
// when there is none within the [Horizon].
func (h Hours) NextClosing(t time.Time) (time.Time, bool) {
	until, end := t.Add(Horizon), t
	h.spans(t, until, func(from, to time.Time) bool {
		if from.After(end) {
			return false
		}
		end = to
		return true
	})
	return within(end, until)
}

// OpenDuration returns how much open time lies between two instants; 0 when to is not after from. It
// counts at most the 292 years after from that a Duration can hold.
func (h Hours) OpenDuration(from, to time.Time) time.Duration {
	if !from.Before(to) {
		return 0
	}
	to = from.Add(to.Sub(from)) // Sub stops at the longest Duration
	var sum time.Duration
	h.spans(from, to, func(opens, closes time.Time) bool {
		if !opens.Before(to) {
			return false
		}
		sum += earlier(closes, to).Sub(opens)
		return true
	})
	return sum
}

// AddOpen returns the first instant at which d of open time has passed since t. This can be the instant
// of a closing: ask [Hours.NextOpening] before something is sent then. For a d of 0 or less it returns t.
// It returns false when the instant is not within the [Horizon].
func (h Hours) AddOpen(t time.Time, d time.Duration) (time.Time, bool) {
	if d <= 0 {
		return t, true
	}
	var at time.Time
	until, ever := t.Add(Horizon), false
	h.spans(t, until, func(from, to time.Time) bool {
		open := to.Sub(from)
		if d <= open {
			at, ever = within(from.Add(d), until)
			return false
		}
		d -= open
		return true
	})
	return at, ever
}

// Zone is where the provider's clock hangs; UTC where it is always open.
func (h Hours) Zone() *time.Location {
	if h.zone == nil {
		return time.UTC
	}
	return h.zone
}

// Closed reports whether the provider's date at t is one of the extra closed days, and its name.
func (h Hours) Closed(t time.Time) (name string, closed bool) {
	if h.zone == nil {
		return "", false
	}
	_, offset := t.In(h.zone).Zone()
	name, closed = h.closed[dayOf(t.Unix()+int64(offset))]
	return name, closed
}

// KnownFor returns how long after t the extra closed days are known, down to zero and below when they are
// known no more. Where nothing runs out it is the longest Duration.
func (h Hours) KnownFor(t time.Time) time.Duration {
	if h.knownUntil.IsZero() {
		return 1<<63 - 1
	}
	return h.knownUntil.Sub(t)
}

// Warning returns a text for operators when the extra closed days are known for less than [WarnBefore]
// after t, else "". After the last known day hours go on as in an ordinary week.
func (h Hours) Warning(t time.Time) string {
	if h.KnownFor(t) >= WarnBefore {
		return ""
	}
	return "closed days are listed until " + h.knownDate + " only: later holidays count as open until they are listed"
}

// within returns t and true, or nothing when it is after until.
func within(t, until time.Time) (time.Time, bool) {
	if t.After(until) {
		return time.Time{}, false
	}
	return t, true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
