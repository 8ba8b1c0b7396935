package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"payonce/pkg/idempotency"
)

// errMayNotSend says that this worker may not send the request any more: too little of its lease is left, or the
// order is another's.
var errMayNotSend = errors.New("the order may not be sent by this worker any more")

// fenceTimeout bounds the question to the claim store before a request leaves. A store that takes longer is one
// that cannot be asked.
const fenceTimeout = time.Second

// fence returns the last check before the first byte of a request to pay leaves, when the connection stands. The
// time since the lease began is measured by two clocks. A pause that stops both is seen by the claim store
// alone, which has a clock of its own, or by the log, where others have moved the payment meanwhile. They are
// asked after a connection was dialed, which takes long enough for such a pause; for one that stood already
// the configuration decides.
func (w *Worker) fence(j *job) func(ctx context.Context, dialed bool) error {
	return func(ctx context.Context, dialed bool) error {
		if dialed || w.FenceKeptConnections {
			if err := w.stillOurs(ctx, j); err != nil {
				return err
			}
		}
		return w.inLease(j, w.Local()) // last: nothing that takes time may follow
	}
}

// inLease returns nil if a call that begins now ends within the lease.
func (w *Worker) inLease(j *job, now time.Time) error {
	if spent := j.spent(now); spent > w.Timing.Lease-w.Timing.SubmitTimeout {
		return fmt.Errorf("%w: %s of the lease have passed", errMayNotSend, spent)
	}
	return nil
}

// stillOurs returns nil if the claim store says that the order is still this worker's, by its own clock. Where
// the store cannot be asked, or has forgotten the order, the log decides: the intent must be its last word.
func (w *Worker) stillOurs(ctx context.Context, j *job) error {
	if j.held != nil {
		err := w.verify(ctx, j)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, idempotency.ErrLost), w.ClaimsRequired:
			return fmt.Errorf("%w: %w", errMayNotSend, err)
		}
		w.Logger.WarnContext(ctx, "the claim cannot be verified before the request; the log is asked",
			"provider", j.ref.Provider, "order", j.ref.Order, "error", err)
	}
	_, seq, err := w.Log.Last(ctx, j.ref)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errMayNotSend, err)
	case seq != j.seq:
		return fmt.Errorf("%w: the payment has moved on in the log", errMayNotSend)
	}
	return nil
}

func (w *Worker) verify(ctx context.Context, j *job) error {
	ctx, cancel := context.WithTimeout(ctx, min(fenceTimeout, w.Timing.SubmitTimeout))
	defer cancel()
	return w.Claims.Verify(ctx, j.ref, *j.held, w.Timing.SubmitTimeout)
}
