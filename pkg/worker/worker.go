// Package worker is the engine: it takes a command or a webhook from the queue, claims the order,
// decides, calls the provider once, and writes what it learned into the log. Its entry points,
// [Worker.Command], [Worker.Webhook], [Worker.Intake] and [Worker.Overdue], turn a message into a verdict and know no
// broker, so they run the same under NATS and in a simulation.
//
// The rules that keep the promise stand here, and each has a test that fails without it:
//
//  1. The intent is appended before the request leaves, and only who wins that append may send.
//  2. A payment that may have been sent is looked up, never sent again, until the provider has said
//     twice and late enough that it does not know it.
//  3. What is learned is appended before the message is acknowledged. A crash after any step leaves a
//     message that finds the log.
//  4. The log decides alone. What a payment is, whose it is and whether there is anything left to do is read
//     from the log, or proven by the append of this very step. A claim says who works now, nothing else.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

// Log is the log of payments: the truth.
type Log interface {
	// Append writes the next event of a payment if its last event still stands at the sequence after
	// (0: the payment has no event). It returns the new sequence, or events.ErrStale when the payment
	// has moved on. Any other error means that it is not known whether the event was written.
	Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error)
	// Last returns a payment as it stands and the sequence of its last event, or events.ErrNoPayment. What its customer
	// must do can be without its content ([payment.Action.Missing]).
	Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error)
	// Actions returns a payment of Last with that content, as far as it is kept.
	Actions(ctx context.Context, p payment.Payment) (payment.Payment, error)
}

// Options are what a worker is made of. Log, Claims, Connectors, Now and NewID are required.
type Options struct {
	Log        Log
	Claims     idempotency.Store
	Connectors *connectors.Registry
	Timing     Timing
	// Opening says when a provider takes payments of an operation; nil is always open. It is called
	// concurrently.
	Opening func(provider string, op payment.Operation) Opening
	// GiveUpPolicy says how long payments of an operation wait for their provider; nil waits for ever. It is
	// called concurrently.
	GiveUpPolicy func(provider string, op payment.Operation) GiveUpPolicy
	// Threshold says after how much open time, from the first request on, a person is told of an open payment;
	// nil or 0 tells nobody here. It is called concurrently.
	Threshold func(provider string) time.Duration
	// Limits rate-limit calls and stop calling a provider that is down; nil limits nothing.
	Limits Limits
	// OrderPrefixes reserves order numbers for upstreams that publish by NATS.
	OrderPrefixes payment.OrderPrefixes
	// ClaimsRequired makes the worker wait while the claim store cannot be asked. The default is to go
	// on with the log alone: slower, and just as safe, because one worker wins the intent's append.
	ClaimsRequired bool
	// FenceKeptConnections asks the claim store before each request to pay whether the order is still this
	// worker's, also where the connection stood already. After a dial it is asked in any case.
	FenceKeptConnections bool
	// Now is the time that is compared across processes and written into the log. All workers must agree about it
	// within Timing.ClockBound, whatever their machines' clocks show, see package clock.
	Now func() time.Time
	// Measure makes Now right again: after a suspension that nobody noticed it can be behind. It is called before a doubt
	// about a request is written, which is settled by time. Nil means that Now is always right.
	Measure func(ctx context.Context) error
	// Local is this machine's clock, with a monotonic reading. It measures for how long a lease has been held, and
	// is compared with nothing of another process; nil takes Now.
	Local func() time.Time
	// Wait returns after d or when ctx ends; nil waits in real time. Simulations have a time of their own.
	Wait   func(ctx context.Context, d time.Duration)
	NewID  func() string // unique for each call, e.g. a UUID
	Logger *slog.Logger  // nil discards
	// OnStep, if set, is called between the steps of a command. Fault tests stop the process there.
	OnStep func(Step, payment.Ref)
}

// Timing holds the engine's durations.
type Timing struct {
	// SubmitTimeout bounds one call of a provider.
	SubmitTimeout time.Duration
	// RetryFor bounds the time in which a request that was proven not sent is tried again at once.
	// Afterwards the payment is parked.
	RetryFor time.Duration
	// RetryInitial is the first pause of those retries; it grows, with jitter.
	RetryInitial time.Duration
	// Lease is how long a worker may hold an order. RetryFor + 2 × SubmitTimeout must fit into it: one
	// call and one look-up after it.
	Lease time.Duration
	// LookupMin and LookupMax bound the pause between two look-ups of a payment in doubt. The pause is
	// half the age of the doubt, counted in the provider's open time.
	LookupMin, LookupMax time.Duration
	// ParkMin and ParkMax bound how long a payment is parked that could not be sent. The pause doubles
	// with every attempt.
	ParkMin, ParkMax time.Duration
	// ResumeSpread is the time after an opening over which payments are resumed that waited for it; 0
	// resumes all at once.
	ResumeSpread time.Duration
	// Retention is how long the log remembers a payment. Older commands are refused.
	Retention time.Duration
	// ClaimRetention is how long a claim is remembered after its last change, at least Retention: a command that
	// comes again is then recognised before it takes a place in the provider's budget.
	ClaimRetention time.Duration
	// UnknownOrderFor is how long a webhook waits for the command of its order.
	UnknownOrderFor time.Duration
	// ClockBound is how far the times of two workers (Options.Now) may differ.
	ClockBound time.Duration
}

// DefaultTiming returns the timing for production.
func DefaultTiming() Timing {
	return Timing{
		SubmitTimeout: 15 * time.Second, RetryFor: 5 * time.Second, RetryInitial: 100 * time.Millisecond,
		Lease: 40 * time.Second, LookupMin: 5 * time.Second, LookupMax: 15 * time.Minute,
		ParkMin: 10 * time.Second, ParkMax: 10 * time.Minute, ResumeSpread: 10 * time.Minute,
		Retention: 90 * 24 * time.Hour, ClaimRetention: 90 * 24 * time.Hour, UnknownOrderFor: 24 * time.Hour,
		ClockBound: connectors.DefaultClockBound,
	}
}

// Validate returns every problem of the timing, joined.
func (t Timing) Validate() error {
	var problems []error
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"submit_timeout", t.SubmitTimeout}, {"retry_for", t.RetryFor}, {"retry_initial", t.RetryInitial},
		{"lease", t.Lease}, {"lookup_min", t.LookupMin}, {"lookup_max", t.LookupMax}, {"park_min", t.ParkMin},
		{"park_max", t.ParkMax}, {"retention", t.Retention}, {"unknown_order_for", t.UnknownOrderFor},
	} {
		if d.d <= 0 {
			problems = append(problems, fmt.Errorf("%s: must be more than 0", d.name))
		}
	}
	if t.RetryFor+2*t.SubmitTimeout >= t.Lease {
		problems = append(problems, fmt.Errorf("lease: %s must be more than retry_for + 2 × submit_timeout = %s, so that a call and the look-up after it end while the order is held", t.Lease, t.RetryFor+2*t.SubmitTimeout))
	}
	if t.Retention <= t.Lease {
		problems = append(problems, errors.New("retention: must be more than the lease"))
	}
	if t.ClaimRetention < t.Retention {
		problems = append(problems, errors.New("claim_retention: must not be less than retention"))
	}
	if t.LookupMin > t.LookupMax {
		problems = append(problems, errors.New("lookup_min: must not be more than lookup_max"))
	}
	if t.ResumeSpread < 0 {
		problems = append(problems, errors.New("resume_spread: must not be less than 0"))
	}
	if t.ClockBound < 0 {
		problems = append(problems, errors.New("clock_bound: must not be negative"))
	}
	if t.ParkMin > t.ParkMax {
		problems = append(problems, errors.New("park_min: must not be more than park_max"))
	}
	return errors.Join(problems...)
}

// Settling returns what the least settling delay is made of.
func (t Timing) Settling() connectors.Settling {
	return connectors.Settling{Lease: t.Lease, SubmitTimeout: t.SubmitTimeout, ClockBound: t.ClockBound}
}

// CheckSettling returns an error if a provider's settling delay is too short for this timing.
func (t Timing) CheckSettling(delay time.Duration) error {
	if least := t.Settling(); delay < least.Least() {
		return fmt.Errorf("settling_delay: %s must be at least %s", delay, least)
	}
	return nil
}

// Worker executes commands and takes in webhooks. It is safe for concurrent use; any number of workers
// may work on the same queue.
type Worker struct {
	Options
	metrics *instruments
	// claimsDownUntil is when to ask the claim store again after it failed, in Unix nanoseconds.
	claimsDownUntil atomic.Int64
}

// New returns a worker. It returns every problem of the options, joined.
func New(o Options) (*Worker, error) {
	if o.Log == nil || o.Claims == nil || o.Connectors == nil || o.Now == nil || o.NewID == nil {
		return nil, errors.New("worker: Log, Claims, Connectors, Now and NewID are required")
	}
	problems := []error{o.Timing.Validate()}
	for _, name := range o.Connectors.Names() {
		conn, _ := o.Connectors.Get(name)
		if err := o.Timing.CheckSettling(conn.Traits().SettlingDelay); err != nil {
			problems = append(problems, fmt.Errorf("provider %s: %w", name, err))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Opening == nil {
		o.Opening = func(string, payment.Operation) Opening { return Opening{} }
	}
	if o.GiveUpPolicy == nil {
		o.GiveUpPolicy = func(string, payment.Operation) GiveUpPolicy { return GiveUpPolicy{} }
	}
	if o.Threshold == nil {
		o.Threshold = func(string) time.Duration { return 0 }
	}
	if o.Limits == nil {
		o.Limits = unlimited{}
	}
	if o.Measure == nil {
		o.Measure = func(context.Context) error { return nil }
	}
	if o.Local == nil {
		o.Local = o.Now
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	if o.OnStep == nil {
		o.OnStep = func(Step, payment.Ref) {}
	}
	metrics, err := newInstruments(o.Connectors)
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	return &Worker{Options: o, metrics: metrics}, nil
}

// Step names a place between two steps of a command, where a crash must do no harm.
type Step string

// The steps, in order.
const (
	StepClaimed  Step = "claimed"  // the order is held, nothing is written
	StepIntended Step = "intended" // the intent stands in the log, nothing was sent
	StepCalled   Step = "called"   // the provider was called, its answer is written nowhere
	StepAppended Step = "appended" // the answer stands in the log, the claim is open
	StepFinished Step = "finished" // all is written, the message is not acknowledged
)

// Steps lists all steps.
func Steps() []Step {
	return []Step{StepClaimed, StepIntended, StepCalled, StepAppended, StepFinished}
}
