package operator

import (
	"context"
	"slices"
	"sync"
	"time"

	"payonce/pkg/events"
)

// Waiting knows the requests that wait for a second person. It reads each record of AUDIT once, so that it can be asked often. It
// is safe for concurrent use.
type Waiting struct {
	approvals Approvals

	mu    sync.Mutex
	open  []Request
	last  uint64 // of AUDIT, up to which was read
	began bool
}

// NewWaiting returns the requests of AUDIT that wait.
func NewWaiting(a Approvals) *Waiting { return &Waiting{approvals: a} }

// Requests returns what waits now, oldest first.
func (w *Waiting) Requests(ctx context.Context, now time.Time) ([]Request, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.began {
		before, err := w.approvals.lastBefore(ctx, now.Add(-w.approvals.Expires))
		if err != nil {
			return nil, err
		}
		w.last, w.began = before, true
	}
	open, last, err := w.approvals.readOn(ctx, slices.Clone(w.open), w.last, now)
	if err != nil {
		return nil, err
	}
	w.last = last
	w.open = slices.DeleteFunc(open, func(r Request) bool { return r.State != events.Requested || !now.Before(r.ExpiresAt) })
	return slices.Clone(w.open), nil
}
