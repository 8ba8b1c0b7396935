// Package reconcile keeps the time of payments that are open: it has each of them looked up at its provider
// when there was no news of it for a while, again after longer whiles, and a last time at the provider's
// threshold, at which a person is told. A customer who was given a page and does not come is asked about until
// the page is over, and no person is told before that. And it compares a provider's records with the log, both ways,
// see [Comparison].
//
// The log itself is the clock. For each provider and each step of its lookup schedule a timer reads the events of
// open payments in the order in which they were written, and an event is due when it is as old as the
// step. The oldest event is always due first, so a timer that waits for it misses nothing, and no payment
// costs a write of its own. Only the time in which the provider is open counts; an intent without a result is
// found in any time.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/calendar"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// Queue delivers events of the log to handlers, see jetstream.Conn.
type Queue interface {
	// ConsumePayments gives each event of a provider's payments in these statuses to handler, oldest first,
	// at most slots at a time. It blocks until ctx ends and its handlers have returned; it returns nil then,
	// and an error only when it cannot go on. Readers of the same timer share its events.
	ConsumePayments(ctx context.Context, provider, timer string, statuses []payment.Status, slots int, h queue.Handler) error
}

// Engine looks up the payment of an event, if that is still its last one, and writes what the provider says.
// A payment that has then been open for limit of the provider's open time needs a person. See
// worker.Worker.Overdue.
type Engine interface {
	Overdue(ctx context.Context, m events.Message, limit time.Duration) queue.Verdict
}

// Provider is what is to be known of one provider.
type Provider struct {
	Name           string
	LookupSchedule LookupSchedule
	Slots          int // look-ups of one step at the same time
	// Pages says how long pages of customers are waited for; the zero Pages waits for none.
	Pages Pages
	// Hours says when the provider is open. It is called concurrently.
	Hours func(op payment.Operation) calendar.Hours
	// Read reads an event; nil takes [events.ReadPayment]. A simulation, which delivers the same event many times, caches what that
	// returned.
	Read func(subject string, sequence uint64, data []byte) (payment.Payment, error)
}

// recheck bounds how long an event is put off at once, so that a lookup schedule or hours that were changed take effect
// soon. The oldest events alone are asked for again, 256 at most.
const recheck = 5 * time.Minute

// Run has the open payments of all providers looked up until ctx ends. Any number of processes may do so.
// It returns an error when the providers are not valid or the queue cannot go on.
func Run(ctx context.Context, q Queue, engine Engine, providers []Provider, now func() time.Time) error {
	timers, err := timersOf(providers, engine, now)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	end, err := watch(timers)
	if err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	defer func() { _ = end() }()
	group, ctx := errgroup.WithContext(ctx)
	for _, t := range timers {
		group.Go(func() error {
			if err := q.ConsumePayments(ctx, t.provider.Name, t.step.name, t.step.statuses, t.provider.Slots, t.handle); err != nil {
				return fmt.Errorf("timer %s of %s: %w", t.step.name, t.provider.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// Timer is one of the timers that [Run] gives to its queue.
type Timer struct {
	Name     string
	Statuses []payment.Status // of the events that it reads
	Handle   queue.Handler
}

// Timers returns the timers of a provider, for a simulation, which delivers its events itself. It returns an error when the
// provider is not valid.
func Timers(engine Engine, of Provider, now func() time.Time) ([]Timer, error) {
	timers, err := timersOf([]Provider{of}, engine, now)
	if err != nil {
		return nil, fmt.Errorf("reconcile: %w", err)
	}
	all := make([]Timer, len(timers))
	for i, t := range timers {
		all[i] = Timer{t.step.name, t.step.statuses, t.handle}
	}
	return all, nil
}

// timersOf returns the timers of all providers.
func timersOf(providers []Provider, engine Engine, now func() time.Time) ([]*timer, error) {
	var timers []*timer
	for _, p := range providers {
		if err := errors.Join(p.LookupSchedule.Validate(), p.Pages.validate()); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		if p.Hours == nil || p.Slots < 1 || now == nil {
			return nil, fmt.Errorf("%s: hours, slots and a clock are required", p.Name)
		}
		if p.Read == nil {
			p.Read = events.ReadPayment
		}
		steps := append(p.LookupSchedule.steps(), p.Pages.steps()...)
		for i, step := range steps {
			timers = append(timers, &timer{provider: &p, engine: engine, now: now, step: step, later: steps[i+1:]})
		}
	}
	return timers, nil
}

// timer handles the events of one step.
type timer struct {
	provider *Provider
	engine   Engine
	now      func() time.Time
	step     step
	later    []step // in their order
	progress progress
}

// handle puts an event off that is not old enough and leaves one that is old enough for the next step to that:
// after an outage a payment is looked up once, not once for each step.
func (t *timer) handle(ctx context.Context, m events.Message) queue.Verdict {
	p, err := t.provider.Read(m.Subject, m.Sequence, m.Data)
	if err != nil { // a payment whose event cannot be read cannot be looked up
		return queue.DeadLetter(events.DeadUndecodable, err.Error())
	}
	now := t.now()
	due, ever := t.due(p, m, t.step)
	t.progress.note(m, due, ever, now)
	if !t.concerns(p, m, t.step) {
		return queue.Acknowledge()
	}
	if !ever {
		return queue.RetryAfter(recheck)
	}
	if now.Before(due) {
		return queue.RetryAfter(min(due.Sub(now), recheck))
	}
	next, more := t.next(p, m)
	if due, ever := t.due(p, m, next); more && ever && !now.Before(due) && next.takes(p.Status) {
		return queue.Acknowledge()
	}
	limit := t.provider.LookupSchedule.Threshold
	if !more {
		limit = 0 // whatever the clocks say, this was the last chance to tell a person
	}
	verdict := t.engine.Overdue(ctx, m, limit)
	verdict.Delay = min(verdict.Delay, recheck)
	if verdict.Unanswered {
		return t.unanswered(verdict, more && next.takes(p.Status))
	}
	return verdict
}

// unanswered has a payment asked about again of which the provider gave no answer, as long as it holds up no other:
// the broker hands out no more events of a timer than wait for their time (see jetstream.Conn.ConsumePayments), so
// enough of them would stop the step. While others wait that may be due, those that were asked about, which are the
// oldest, are left to the next step of the schedule. The last step has none after it, and leaves nothing.
func (t *timer) unanswered(again queue.Verdict, next bool) queue.Verdict {
	if next && t.progress.holdsUp(t.now(), t.step.life+t.step.after) {
		return queue.Acknowledge()
	}
	again.Delay = min(again.Delay, t.step.after) // so that it can give way before what comes after it is due
	return again
}

// next is the step that comes after this one for an event; more is false when there is none.
func (t *timer) next(p payment.Payment, m events.Message) (r step, more bool) {
	for _, r := range t.later {
		if t.concerns(p, m, r) {
			return r, true
		}
	}
	return step{}, false
}

// concerns reports whether a step is for an event. A step of pages is for those that closed in its time, if the
// log still has the event then.
func (t *timer) concerns(p payment.Payment, m events.Message, r step) bool {
	if r.life == 0 {
		return true
	}
	due, ever := t.due(p, m, r)
	kept := t.provider.Pages.Kept == 0 || !ever || due.Sub(m.StoredAt) < t.provider.Pages.Kept
	return kept && p.AwaitsPage() && !p.PageClosesAt.After(m.StoredAt.Add(r.life))
}

// due is when an event is as old as a step. Events are as old as the log says, so that they become due in the
// order of the log. An intent is a worker's work of seconds, whatever the hours: one that is old is in doubt.
func (t *timer) due(p payment.Payment, m events.Message, r step) (time.Time, bool) {
	if p.Status == payment.Submitting || r.wall {
		return m.StoredAt.Add(r.after), true
	}
	return t.provider.Hours(p.Operation).AddOpen(m.StoredAt.Add(r.life), r.after)
}
