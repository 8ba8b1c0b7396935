package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/idempotency"
)

// errMayNotSend says that this worker may not send the request any more: too little of its lease is left, or the
// order is another's.
var errMayNotSend = errors.New("this worker may not send the order any more")

// fenceTimeout bounds the question to the claim store before a request leaves, and a quarter of the submit timeout does.
// A store that takes longer is one that cannot be asked.
const fenceTimeout = time.Second

// answer is what the claim store or the log said of an order, and until when it counts: an answer can be old when it
// is read.
type answer struct {
	asked  time.Time // by Options.Local; zero when neither was asked
	counts time.Duration
}

// fence returns the last check before the first byte of a request to pay leaves, when the connection is open. The
// time since the lease began is measured by two clocks. A pause that stops both is seen by the claim store
// alone, which has a clock of its own, and by the log, where others have moved the payment meanwhile. Both are
// asked after a connection was dialed, which takes long enough for such a pause: the store can be forged. For
// a connection that was open already the configuration decides whether the store is asked.
func (w *Worker) fence(j *job) func(ctx context.Context, dialed bool) error {
	return func(ctx context.Context, dialed bool) error {
		var said answers
		if dialed || w.FenceKeptConnections {
			var err error
			if said, err = w.stillOurs(ctx, j, dialed); err != nil {
				return err
			}
		}
		now := w.Local() // last: nothing that takes time may follow
		if err := w.inLease(j, now); err != nil {
			return err
		}
		return errors.Join(said.claim.fresh(now), said.log.fresh(now))
	}
}

// answers are those of the last check; one that was not asked for is zero.
type answers struct{ claim, log answer }

// stillOurs asks the claim store whether the order is still this worker's, by its own clock. After a dial, and where the store cannot
// be asked, or has forgotten the order, the log is asked as well: the intent must be its last word.
func (w *Worker) stillOurs(ctx context.Context, j *job, dialed bool) (said answers, err error) {
	if j.held != nil {
		said.claim, err = w.verify(ctx, j)
		switch {
		case err == nil:
			if !dialed {
				return said, nil
			}
		case errors.Is(err, idempotency.ErrLost), w.ClaimsRequired:
			return answers{}, fmt.Errorf("%w: %w", errMayNotSend, err)
		default:
			said.claim = answer{}
			w.Logger.WarnContext(ctx, "cannot verify the claim before the request; checking the log",
				"provider", j.ref.Provider, "order", j.ref.Order, "error", err)
		}
	}
	said.log, err = w.lastWord(ctx, j)
	return said, err
}

// A replica of the log that does not have the intent yet is asked again, after a pause that doubles from the first to the last.
const firstBehind, lastBehind = 10 * time.Millisecond, 320 * time.Millisecond

// lastWord asks the log whether the intent is the last event of the payment.
func (w *Worker) lastWord(ctx context.Context, j *job) (answer, error) {
	for pause := firstBehind; ; pause *= 2 {
		said := answer{w.Local(), w.Timing.SubmitTimeout}
		_, seq, err := w.Log.Last(ctx, j.ref)
		switch behind := err == nil && seq < j.seq || errors.Is(err, events.ErrNoPayment); {
		case behind && pause <= lastBehind:
			w.Wait(ctx, pause)
		case err != nil:
			return answer{}, fmt.Errorf("%w: %w", errMayNotSend, err)
		case seq != j.seq:
			return answer{}, fmt.Errorf("%w: the payment has changed in the log", errMayNotSend)
		default:
			return said, nil
		}
	}
}

// verify asks for as much of the lease as the call needs and its own answer may take to arrive.
func (w *Worker) verify(ctx context.Context, j *job) (answer, error) {
	said := answer{w.Local(), min(fenceTimeout, w.Timing.SubmitTimeout/4)}
	ctx, cancel := context.WithTimeout(ctx, said.counts)
	defer cancel()
	return said, w.Claims.Verify(ctx, j.ref, *j.held, w.Timing.SubmitTimeout+said.counts)
}

// inLease returns nil if a call that begins now ends within the lease.
func (w *Worker) inLease(j *job, now time.Time) error {
	if spent := j.spent(now); spent > w.Timing.Lease-w.Timing.SubmitTimeout {
		return fmt.Errorf("%w: %s of the lease have passed", errMayNotSend, spent)
	}
	return nil
}

// fresh returns nil if an answer still counts. It is asked for because the clocks may have missed time since the lease
// began, so that the lease alone says nothing about the time since the answer.
func (a answer) fresh(now time.Time) error {
	if age := elapsed(a.asked, now); !a.asked.IsZero() && age > a.counts {
		return fmt.Errorf("%w: the claim was confirmed %s ago", errMayNotSend, age)
	}
	return nil
}
