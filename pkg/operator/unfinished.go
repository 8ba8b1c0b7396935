package operator

import (
	"fmt"
	"time"

	"payonce/pkg/events"
)

// UnfinishedError says that an action on many items ended before all of them were acted on.
type UnfinishedError struct {
	Left  int   // items that were not acted on, or of which that is unknown
	Cause error // nil where the action was interrupted
	// From is when the first event that is left was stored, where events were to be sent again: an [EventFilter] from then on chooses
	// all that are left. It is zero for other actions, which leave alone what is done already.
	From time.Time
}

func (e *UnfinishedError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("interrupted, %d left", e.Left)
	}
	return fmt.Sprintf("stopped, %d left: %v", e.Left, e.Cause)
}

func (e *UnfinishedError) Unwrap() error { return e.Cause }

// The results of items of a batch that stopped.
const (
	notStarted = "not started"
	unknown    = "unknown"
)

// Left reports whether an item of a [Batch] that ended was not acted on, or may not have been; may says which.
func Left(i events.AuditItem) (left, may bool) { return isLeft(i), i.Result == unknown }

// isLeft reports whether an item was not acted on, or may not have been.
func isLeft(i events.AuditItem) bool {
	return i.Result == "" || i.Result == notStarted || i.Result == unknown
}
