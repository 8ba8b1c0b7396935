package search

import "time"

// Interval says of what a [Trend] is: Count intervals of a Length each, from From on.
type Interval struct {
	From   time.Time
	Length time.Duration // at least a second
	Count  int           // at most MaxIntervals
}

// MaxIntervals bounds how many intervals a trend has.
const MaxIntervals = 500

// Trend is what happened in each interval, oldest first. Times are upper bounds that are exact to a third.
type Trend []Counted

// Counted is what happened in one interval.
type Counted struct {
	At      time.Time // when it began
	Begun   int       // payments with their first event in it
	Settled int       // payments with their outcome in it, also those that were reversed or contradicted later
	Failed  int
	// Half and Most are within how long half and 95 of 100 of those had their outcome, from their first event on; 0 without one.
	Half, Most time.Duration
}

// Wave is when parked payments are tried again.
type Wave struct {
	Due   []int // in each interval; those of before are in the first
	Later int   // after the last
}
