package payment

import "time"

// MaxAhead is how far an upstream's clock may be ahead of ours.
const MaxAhead = 5 * time.Minute

// Expired reports whether the command is not begun any more.
func (c Command) Expired(now time.Time) bool {
	return !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt)
}

// Ahead reports whether the command comes from the future. It would never become too old for the log's memory,
// and a forgotten order could come back to life.
func (c Command) Ahead(now time.Time) bool { return c.RequestedAt.After(now.Add(MaxAhead)) }

// TooOld reports whether a log that keeps payments for the retention may have forgotten this one.
func (c Command) TooOld(now time.Time, retention time.Duration) bool {
	return c.RequestedAt.Before(now.Add(-retention))
}
