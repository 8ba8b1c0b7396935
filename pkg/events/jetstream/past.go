package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream/internal/broker"
)

// LogMarks keeps how far the log was seen, where a restore of the broker does not reach.
type LogMarks interface {
	// Mark returns how far the log was seen; zero when that is not known.
	Mark(ctx context.Context) (events.LogMark, error)
	// Raise remembers now, unless the log that is there has lost what was seen before; ok is false then. It returns
	// the mark that is kept.
	Raise(ctx context.Context, now events.LogMark, accepted time.Time) (kept events.LogMark, ok bool, err error)
}

// ErrLogLost says that the log ends before what was seen of it, or is another one.
var ErrLogLost = errors.New("the log of payments lost events, for example by a restore from an older copy")

// NextLogLost is what a person does about a log that lost its past.
const NextLogLost = "nothing is executed until an operator accepts the log: docs/operators.md#a-log-that-lost-its-past, then payctl log accept"

const (
	// pastEvery is how often the log is compared with what was seen of it.
	pastEvery = time.Second
	// A leader that was just elected may know less for a moment: what lacks something is asked so many times, at this
	// pause, before a person is alerted. Nothing is executed meanwhile.
	pastTries, pastAgain = 5, 200 * time.Millisecond
	// marksTimeout bounds one question to the marks, so that a store that hangs does not hold up a reconnected worker.
	marksTimeout = time.Second
)

// past compares the log with what was seen of it, and stops all work while it lacks something. It is closed from the moment
// in which the connection is lost until the log was compared again: the broker can come back with an older copy.
// Without [Conn.GuardLog] it is open.
type past struct {
	acked atomic.Uint64 // the highest sequence that an append of this process was given
	shut  atomic.Bool
	look  chan struct{} // asks for a comparison now

	mu      sync.Mutex
	changed chan struct{} // closed at the next change
	problem error         // why it is shut
	guarded bool          // by GuardLog; else it is never shut
	losses  uint64        // of the connection: an answer from before one says nothing of what came back

	// Only the goroutine of GuardLog uses these.
	seen   events.LogMark
	silent bool // the marks did not answer last time
	short  int  // so many answers in a row lacked something
}

func newPast() *past { return &past{look: make(chan struct{}, 1), changed: make(chan struct{})} }

// stored notes the sequence of an event that was appended.
func (p *past) stored(sequence uint64) {
	for known := p.acked.Load(); sequence > known && !p.acked.CompareAndSwap(known, sequence); known = p.acked.Load() {
	}
}

// set opens or shuts it. It reports whether that is news. It is not opened by what was learned before the connection was
// lost once more.
func (p *past) set(problem error, losses uint64) (news bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if problem == nil && losses != p.losses {
		return false
	}
	return p.become(problem)
}

// become needs the lock.
func (p *past) become(problem error) (news bool) {
	news = (problem == nil) != (p.problem == nil) || errors.Is(problem, ErrLogLost) != errors.Is(p.problem, ErrLogLost)
	p.problem = problem
	p.shut.Store(problem != nil)
	close(p.changed)
	p.changed = make(chan struct{})
	return news
}

// disconnected shuts it until the log was compared again.
func (p *past) disconnected() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.losses++
	if p.guarded && !errors.Is(p.problem, ErrLogLost) {
		p.become(errors.New("the log was not checked since the connection to NATS was lost"))
	}
}

// guard shuts it until the log was compared for the first time.
func (p *past) guard() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guarded = true
	p.become(errors.New("the log was not checked yet"))
}

// lossCount counts how often the connection was lost.
func (p *past) lossCount() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.losses
}

func (p *past) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.problem
}

// ready is err with what to do.
func (p *past) ready() error {
	err := p.err()
	if errors.Is(err, ErrLogLost) {
		return fmt.Errorf("%w; next: %s", err, NextLogLost)
	}
	return err
}

// wait returns nil when the log has all that was seen of it, at the latest when ctx ends.
func (p *past) wait(ctx context.Context) error {
	for p.shut.Load() {
		p.mu.Lock()
		problem, changed := p.problem, p.changed
		p.mu.Unlock()
		if problem == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return errors.Join(problem, context.Cause(ctx))
		}
	}
	return nil
}

// GuardLog lets this connection append and deliver nothing unless the log has all that was seen of it, by this process and
// according to marks. It compares at once, after each loss of the connection, and every second until Close. It returns when
// the log may be worked with, or ctx ends. Marks that do not answer say nothing against the log.
//
// After a loss a person decides ([Conn.LogAccepted]); the log is then worked with again by itself.
func (c *Conn) GuardLog(ctx context.Context, marks LogMarks) error {
	if !c.broker.Begin() {
		return fmt.Errorf("guard the log: %w", ErrClosed)
	}
	c.past.guard()
	go func() {
		defer c.broker.Done()
		for {
			pause := pastEvery
			if c.compareLog(c.broker.Stopping, marks); 0 < c.past.short && c.past.short < pastTries {
				pause = pastAgain
			}
			timer := time.NewTimer(pause)
			select {
			case <-c.broker.Stopping.Done():
				timer.Stop()
				return
			case <-timer.C:
			case <-c.past.look:
				timer.Stop()
			}
		}
	}()
	return c.past.wait(ctx)
}

// compareLog looks once. A log that cannot be read stays as it was believed to be. What was seen is read before the log:
// what others see meanwhile says nothing against this answer.
func (c *Conn) compareLog(ctx context.Context, marks LogMarks) {
	losses := c.past.lossCount()
	own := c.past.seen
	own.Sequence = max(own.Sequence, c.past.acked.Load())
	mark := c.askMark(ctx, marks)
	now, err := c.LogEnd(ctx)
	if err != nil {
		return
	}
	var accepted time.Time
	if kept, lost := firstLost(now, own, mark); lost {
		accepted, err = c.LogAccepted(ctx, now)
		if err != nil || !accepted.After(kept.At) {
			c.past.short++
			c.reportLog(lostError(now, kept), losses, now, kept)
			return
		}
		c.past.acked.Store(0)
		own.At = accepted
	}
	c.past.short = 0
	if own.At.After(now.At) { // two servers' clocks
		now.At = own.At
	}
	c.past.seen = now
	c.raiseMark(ctx, marks, now, accepted)
	c.reportLog(nil, losses, now, now)
}

func firstLost(now events.LogMark, seen ...events.LogMark) (events.LogMark, bool) {
	for _, m := range seen {
		if m.Lost(now, time.Time{}) {
			return m, true
		}
	}
	return events.LogMark{}, false
}

// askMark returns the mark, or zero while the marks do not answer.
func (c *Conn) askMark(ctx context.Context, marks LogMarks) events.LogMark {
	ctx, cancel := context.WithTimeout(ctx, marksTimeout)
	defer cancel()
	mark, err := marks.Mark(ctx)
	if silent := err != nil; silent != c.past.silent && c.broker.Stopping.Err() == nil {
		if c.past.silent = silent; silent {
			c.log.Warn("cannot read the shared log mark; using this process's own", "error", err)
		}
	}
	return mark
}

// raiseMark remembers now. That it is refused says only that another has seen more meanwhile, and that it fails is seen
// by askMark.
func (c *Conn) raiseMark(ctx context.Context, marks LogMarks, now events.LogMark, accepted time.Time) {
	if c.past.silent {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, marksTimeout)
	defer cancel()
	_, _, _ = marks.Raise(ctx, now, accepted)
}

func lostError(now, kept events.LogMark) error {
	if now.Log != kept.Log {
		return fmt.Errorf("%w: it was created at %s; until %s workers used one created at %s", ErrLogLost, now.Log, kept.Log, kept.At.UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%w: it ends at sequence %d, and %d was seen at %s", ErrLogLost, now.Sequence, kept.Sequence, kept.At.UTC().Format(time.RFC3339))
}

// reportLog opens or shuts the work, and says so when that is news.
func (c *Conn) reportLog(err error, losses uint64, now, kept events.LogMark) {
	if err != nil && c.past.short < pastTries && !errors.Is(c.past.err(), ErrLogLost) {
		err = fmt.Errorf("the log ends at sequence %d, but %d was seen before; checking again", now.Sequence, kept.Sequence)
		c.past.set(err, losses)
		return
	}
	wasLost := errors.Is(c.past.err(), ErrLogLost)
	news := c.past.set(err, losses)
	switch {
	case news && err != nil:
		c.log.Error("nothing is executed: the log lost events", "error", err, "sequence", now.Sequence, "seen", kept.Sequence, "next", NextLogLost)
	case news && wasLost:
		c.log.Info("the log is complete again; processing continues", "sequence", now.Sequence)
	}
}

// LogEnd returns where the log ends, according to the server that leads it.
func (c *Conn) LogEnd(ctx context.Context) (events.LogMark, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.AskTimeout)
	defer cancel()
	stream, err := c.broker.JS.Stream(ctx, events.StreamPayments)
	if err != nil {
		return events.LogMark{}, fmt.Errorf("end of the log: %w", err)
	}
	info := stream.CachedInfo()
	return events.LogMark{Log: info.Created.UTC().Format(time.RFC3339Nano), Sequence: info.State.LastSeq, At: info.TimeStamp}, nil
}

// LogAccepted returns when a person accepted the log as it is, by the broker's clock; zero when no person did. What the
// person saw must be in the log still.
func (c *Conn) LogAccepted(ctx context.Context, now events.LogMark) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, broker.AskTimeout)
	defer cancel()
	stream, err := c.broker.Stream(ctx, events.StreamAudit)
	if err != nil {
		return time.Time{}, fmt.Errorf("acceptance of the log: %w", err)
	}
	var raw *njs.RawStreamMsg
	for _, subject := range events.AuditFilters(events.ActionAccept, "", "") {
		found, err := stream.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, njs.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("acceptance of the log: %w", err)
		}
		if raw == nil || found.Sequence > raw.Sequence {
			raw = found
		}
	}
	if raw == nil {
		return time.Time{}, nil
	}
	r, err := events.DecodeAudit(raw.Data)
	if err != nil || r.Stage != events.Finished || r.Log != now.Log || r.LogSequence > now.Sequence {
		return time.Time{}, err
	}
	return raw.Time, nil
}
