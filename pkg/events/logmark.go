package events

import "time"

// LogMark is how far a log was seen. A log only grows: one that ends before a mark of it has lost its past, for example
// because its broker was restored from an older copy.
type LogMark struct {
	Log      string    // which log: when its stream was made
	Sequence uint64    // of the last event in it
	At       time.Time // by the broker's clock
}

// Lost reports whether the log that is at now lacks what m saw. accepted is when a person accepted a log last, by the
// broker's clock; what was seen before that does not count. The zero mark saw nothing.
func (m LogMark) Lost(now LogMark, accepted time.Time) bool {
	return m.Log != "" && !m.At.Before(accepted) && (m.Log != now.Log || m.Sequence > now.Sequence)
}

// LogBounds says from where to where a log reaches: what is before First it has forgotten.
type LogBounds struct {
	LogMark
	First  uint64 // sequence of the first event that it still has
	Events uint64 // how many it has
}
