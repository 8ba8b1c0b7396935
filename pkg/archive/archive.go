package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v4"

	"payonce/pkg/events"
)

// Log is the log of payments. Its methods are safe for concurrent use.
type Log interface {
	// LogBounds says which log it is and from where to where it reaches.
	LogBounds(ctx context.Context) (events.LogBounds, error)
	// ReadLog gives each event from a sequence on to each, oldest first, until there is no more, each says so, or it fails.
	ReadLog(ctx context.Context, from uint64, each func(events.Message) (more bool, err error)) error
}

// Follower delivers the events of the log, each to one of those that follow, and again when it isn't acknowledged.
type Follower interface {
	// Next waits for events, at most for a time, and returns at most so many. acknowledge is called when they are stored.
	Next(ctx context.Context, most int, wait time.Duration) (batch []events.Message, acknowledge func() error, err error)
}

// Options are what an Archiver is made of. All are required but Retention and Store's second user.
type Options struct {
	Log Log
	// Follow begins to follow the log, with what was not acknowledged before.
	Follow func(ctx context.Context) (Follower, error)
	// Open opens the store. It is called until it succeeds.
	Open func(ctx context.Context) (*Store, error)
	// Batch is how many events are stored in one transaction at most.
	Batch int
	// Gather is how long a transaction lets further events come together for the next one: many events at once cost much less
	// each. An event that comes after a quiet time is stored at once, and so are full batches of one that is behind. 0 does not wait.
	Gather time.Duration
	// Retention is how long a payment is kept after it ended and changed last; 0 is for ever.
	Retention time.Duration
	Now       func() time.Time
	Logger    *slog.Logger
}

// DefaultGather is what the program archive uses.
const DefaultGather = 250 * time.Millisecond

// The times of an Archiver.
const (
	// waitForEvents is how long it waits for events before it looks whether it has all.
	waitForEvents = time.Second
	// checkEvery is how often it compares itself with the log and looks for gaps.
	checkEvery = 5 * time.Second
	// batchTimeout bounds one transaction, so that a database that says nothing any more is tried again.
	batchTimeout = time.Minute
	// expireEvery is how often it deletes what is too old.
	expireEvery = time.Hour
	// Nothing is tried again sooner than retryFirst, or later than retryMost.
	retryFirst, retryMost = 200 * time.Millisecond, 10 * time.Second
	// A log that lacks something is asked so many times, at this pause, before a person is told: a leader that was just elected
	// may know less for a moment.
	changedTries, changedAgain = 5, 200 * time.Millisecond
)

// Archiver copies the log into a store.
type Archiver struct {
	o       Options
	store   *Store
	metrics *metrics

	mu      sync.Mutex
	problem error

	log              string // which log is followed
	idle             bool   // nothing was delivered last time
	seen             uint64 // where the log ended at the look before
	checked, expired time.Time
}

// New returns an Archiver.
func New(o Options) (*Archiver, error) {
	if o.Log == nil || o.Follow == nil || o.Open == nil || o.Now == nil || o.Logger == nil || o.Batch < 1 {
		return nil, errors.New("archive: Log, Follow, Open, Now, Logger and a Batch of at least 1 are required")
	}
	a := &Archiver{o: o, problem: errors.New("archive: nothing was read yet")}
	var err error
	if a.metrics, err = newMetrics(); err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	return a, nil
}

// Ready returns nil while events are copied, and else why not.
func (a *Archiver) Ready() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.problem
}

func (a *Archiver) becomes(problem error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.problem = problem
}

// Run copies events until ctx ends. While the database or the log is away it waits, says so, and goes on by itself. It returns
// an error only when a person must decide: [ErrOtherLog] or [ErrLogChanged].
func (a *Archiver) Run(ctx context.Context) error {
	defer a.metrics.close()
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { a.watch(watching) })
	defer watch.Wait()
	defer stop()
	err := a.untilDone(ctx, "open the archive's database", func() (err error) {
		a.store, err = a.o.Open(ctx)
		return a.metrics.database(ctx, err)
	})
	if err != nil {
		return ended(ctx, err)
	}
	defer func() { _ = a.store.Close() }() // every transaction has ended
	return ended(ctx, a.untilDone(ctx, "copy the log", func() error { return a.follow(ctx) }))
}

// watch notes where the log ends, also while the database is away.
func (a *Archiver) watch(ctx context.Context) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		if bounds, err := a.o.Log.LogBounds(ctx); err == nil {
			a.metrics.ends(bounds.Sequence)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// ended makes the end that was asked for no error.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil && !final(err) {
		return nil
	}
	return err
}

// final reports whether to try again would not help.
func final(err error) bool { return errors.Is(err, ErrOtherLog) || errors.Is(err, ErrLogChanged) }

// untilDone tries until it works, a person must decide, or ctx ends.
func (a *Archiver) untilDone(ctx context.Context, what string, try func() error) error {
	pause := backoff.NewExponentialBackOff(backoff.WithInitialInterval(retryFirst), backoff.WithMaxInterval(retryMost), backoff.WithMaxElapsedTime(0))
	for {
		began := a.o.Now()
		err := try()
		if err == nil || final(err) || ctx.Err() != nil {
			return err
		}
		if a.o.Now().Sub(began) > retryMost { // it worked for a while
			pause.Reset()
		}
		wait := pause.NextBackOff()
		a.becomes(fmt.Errorf("%s: %w", what, err))
		a.metrics.failures.Add(ctx, 1)
		a.o.Logger.Warn("cannot "+what+"; will retry, the log keeps the events", "error", err, "wait", wait)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// follow copies events until something breaks.
func (a *Archiver) follow(ctx context.Context) error {
	a.checked, a.idle = time.Time{}, false
	if err := a.check(ctx); err != nil {
		return err
	}
	follower, err := a.o.Follow(ctx)
	if err != nil {
		return err
	}
	a.becomes(nil)
	for {
		batch, acknowledge, err := follower.Next(ctx, a.o.Batch, waitForEvents)
		if err != nil {
			return err
		}
		began := a.o.Now()
		if a.idle = len(batch) == 0; !a.idle {
			if err := a.untilDone(ctx, "store events", func() error { return a.append(ctx, batch) }); err != nil {
				return err
			}
			a.becomes(nil)
			if err := acknowledge(); err != nil {
				return err
			}
		}
		if len(batch) > 0 && len(batch) < a.o.Batch {
			a.gather(ctx, began)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := a.check(ctx); err != nil {
			return err
		}
	}
}

// gather waits until events had time to come together since a batch began to be stored, or ctx ends.
func (a *Archiver) gather(ctx context.Context, began time.Time) {
	wait := a.o.Gather - a.o.Now().Sub(began)
	if wait <= 0 || wait > a.o.Gather { // also where the clock was set back
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// append stores events. Which log they are of was read before them.
func (a *Archiver) append(ctx context.Context, batch []events.Message) error {
	bounded, cancel := context.WithTimeout(ctx, batchTimeout)
	defer cancel()
	done, err := a.store.Append(bounded, a.log, batch, a.o.Now())
	if a.metrics.database(ctx, err) != nil {
		return err
	}
	a.metrics.reached(batch[len(batch)-1].Sequence)
	a.metrics.stored.Add(ctx, int64(done.Stored))
	for _, bad := range done.Unreadable {
		a.metrics.unreadable.Add(ctx, 1)
		a.o.Logger.Error("event cannot be read; it is archived as it is", "sequence", bad.Sequence, "subject", bad.Subject, "problem", bad.Problem,
			"next", "payctl archive status names such events; docs/archive.md#events-that-cannot-be-read")
	}
	return nil
}

// check compares the archive with the log now and then, reads what it lacks, and deletes what is too old.
func (a *Archiver) check(ctx context.Context) error {
	now := a.o.Now()
	if now.Sub(a.checked) < checkEvery && !now.Before(a.checked) {
		return nil
	}
	bounds, err := a.sameLog(ctx)
	if err != nil {
		return err
	}
	if err := a.fill(ctx, bounds); err != nil {
		return err
	}
	if a.o.Retention > 0 && (now.Sub(a.expired) >= expireEvery || now.Before(a.expired)) {
		n, err := a.store.Expire(ctx, now.Add(-a.o.Retention))
		if err != nil {
			return err
		}
		if n > 0 {
			a.o.Logger.Info("payments deleted from the archive after their retention", "payments", n)
		}
		a.expired = now
	}
	a.checked = now
	return nil
}

// sameLog makes sure that the log is the one that the archive was read from.
func (a *Archiver) sameLog(ctx context.Context) (events.LogBounds, error) {
	for try := 1; ; try++ {
		bounds, err := a.o.Log.LogBounds(ctx)
		if err != nil {
			return bounds, err
		}
		at, err := a.store.Position(ctx)
		if a.metrics.database(ctx, err) != nil {
			return bounds, err
		}
		a.metrics.ends(bounds.Sequence)
		a.metrics.reached(at.Sequence)
		a.log = bounds.Log
		err = a.store.compare(ctx, a.o.Log, bounds, at)
		if err == nil || !errors.Is(err, ErrLogChanged) || try >= changedTries {
			return bounds, err
		}
		select {
		case <-ctx.Done():
			return bounds, context.Cause(ctx)
		case <-time.After(changedAgain):
		}
	}
}

// compare returns an error unless the last event of the archive is in the log, or was forgotten there.
func (s *Store) compare(ctx context.Context, log Log, bounds events.LogBounds, at Position) error {
	switch {
	case at.Log == "":
		return nil
	case at.Log != bounds.Log:
		return fmt.Errorf("%w: the archive has read the one made at %s, and the log was made at %s", ErrOtherLog, at.Log, bounds.Log)
	case at.Sequence > bounds.Sequence:
		return fmt.Errorf("%w: the archive has read up to event %d, and the log ends at %d", ErrLogChanged, at.Sequence, bounds.Sequence)
	case at.Sequence < bounds.First:
		return nil
	}
	return log.ReadLog(ctx, at.Sequence, func(m events.Message) (bool, error) {
		if m.Sequence != at.Sequence {
			return false, nil // forgotten meanwhile
		}
		known, has, err := s.event(ctx, at.Sequence)
		if err == nil && has && !known.same(read(m)) {
			err = fmt.Errorf("%w: event %d is another one", ErrLogChanged, at.Sequence)
		}
		return false, err
	})
}
