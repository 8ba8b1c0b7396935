// Package worker is the engine: it takes a command or a webhook from the queue, claims the order,
// decides, calls the provider once, and writes what it learned into the log. Its entry points,
// [Worker.Command], [Worker.Webhook], [Worker.Intake] and [Worker.Overdue], turn a message into a verdict and know no
// broker, so they run the same under NATS and in a simulation.
//
// The rules that keep the promise are here, and each has a test that fails without it:
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

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// Log is the log of payments: the truth.
type Log interface {
	// Append writes the next event of a payment if its last event is still at the sequence after
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
	// with nil or 0 no person is told here. It is called concurrently.
	Threshold func(provider string) time.Duration
	// Limits rate-limit calls and stop calling a provider that is down; nil limits nothing.
	Limits Limits
	// OrderPrefixes reserves order numbers for upstreams that publish by NATS.
	OrderPrefixes payment.OrderPrefixes
	// ClaimsRequired makes the worker wait while the claim store cannot be asked. The default is to go
	// on with the log alone: slower, and just as safe, because one worker wins the intent's append.
	ClaimsRequired bool
	// FenceKeptConnections asks the claim store before each request to pay whether the order is still this
	// worker's, also where the connection was open already. After a dial it is asked in any case.
	FenceKeptConnections bool
	// Now is the time that is compared across processes and written into the log. All workers must agree about it
	// within Timing.ClockBound, whatever their machines' clocks show, see package clock.
	Now func() time.Time
	// Measure makes Now right again: after an unnoticed suspension it can be behind. It is called before a doubt
	// about a request is written, which is settled by time. Nil means that Now is always right.
	Measure func(ctx context.Context) error
	// Local is this machine's clock, with a monotonic reading. It measures for how long a lease has been held, and
	// is compared with nothing of another process; nil takes Now.
	Local func() time.Time
	// Wait returns after d or when ctx ends; nil waits in real time. Simulations have a time of their own.
	Wait func(ctx context.Context, d time.Duration)
	// Bound returns the context of a call of a port: it ends after d in real time, and not with ctx, so that a process that stops
	// lets the call end. Nil does that. The calls of a simulation take no real time: it sets no bound.
	Bound func(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
	NewID func() string // unique for each call, e.g. a UUID
	// Meter makes the metrics; nil takes that of the global provider. Simulations have no reader of metrics.
	Meter metric.Meter
	// DecodeCommand reads a command, and NewPayment makes the payment that it asks for; nil takes [events.DecodeCommand] and
	// [payment.New]. A simulation, which delivers the same message many times, caches what these returned.
	DecodeCommand func(m events.Message) (payment.Command, error)
	NewPayment    func(c payment.Command) payment.Payment
	Logger        *slog.Logger // nil discards
	// OnStep, if set, is called between the steps of a command. Fault tests stop the process there.
	OnStep func(Step, payment.Ref)
}

// Worker executes commands and takes in webhooks. It is safe for concurrent use; any number of workers
// may work on the same queue.
type Worker struct {
	Options
	metrics *instruments
	// claimsDownUntil is when to ask the claim store again after it failed, in Unix nanoseconds; 0 after it answered.
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
	if o.Bound == nil {
		o.Bound = bound
	}
	if o.DecodeCommand == nil {
		o.DecodeCommand = events.DecodeCommand
	}
	if o.NewPayment == nil {
		o.NewPayment = payment.New
	}
	if o.OnStep == nil {
		o.OnStep = func(Step, payment.Ref) {}
	}
	if o.Meter == nil {
		o.Meter = otel.Meter("payonce/worker")
	}
	metrics, err := newInstruments(o.Meter, o.Connectors)
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	return &Worker{Options: o, metrics: metrics}, nil
}

// Queue delivers messages to handlers. Each method blocks until ctx ends and the handlers it started
// have returned and their verdicts are carried out; it returns nil then, and an error only when it
// cannot go on. It never hands out more than slots messages at a time.
type Queue interface {
	ConsumeCommands(ctx context.Context, provider string, slots int, h queue.Handler) error
	ConsumeWebhooks(ctx context.Context, provider string, slots int, h queue.Handler) error
	ConsumeIntake(ctx context.Context, slots int, h queue.Handler) error
}

// intakeSlots is enough for messages that are only sent on.
const intakeSlots = 16

// Run works until ctx ends. Every provider has slots of its own for commands and for webhooks, so a
// slow one delays no other.
func (w *Worker) Run(ctx context.Context, q Queue, slots func(provider string) int) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, provider := range w.Connectors.Names() {
		group.Go(func() error {
			if err := q.ConsumeCommands(ctx, provider, slots(provider), w.Command); err != nil {
				return fmt.Errorf("commands of %s: %w", provider, err)
			}
			return nil
		})
		group.Go(func() error {
			if err := q.ConsumeWebhooks(ctx, provider, slots(provider), w.Webhook); err != nil {
				return fmt.Errorf("webhooks of %s: %w", provider, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		if err := q.ConsumeIntake(ctx, intakeSlots, w.Intake); err != nil {
			return fmt.Errorf("intake: %w", err)
		}
		return nil
	})
	return group.Wait()
}

// Step names a point between two steps of a command, where a crash must do no harm.
type Step string

// The steps, in order.
const (
	StepClaimed  Step = "claimed"  // the order is held, nothing is written
	StepIntended Step = "intended" // the intent is in the log, nothing was sent
	StepCalled   Step = "called"   // the provider was called, its answer is written nowhere
	StepAppended Step = "appended" // the answer is in the log, the claim is open
	StepFinished Step = "finished" // all is written, the message is not acknowledged
)

// Steps lists all steps.
func Steps() []Step {
	return []Step{StepClaimed, StepIntended, StepCalled, StepAppended, StepFinished}
}

// bounded bounds one call of a port by the submit timeout. A process that stops lets the call end.
func (w *Worker) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return w.Bound(ctx, w.Timing.SubmitTimeout)
}

// bound is the default of Options.Bound.
func bound(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d)
}

// maxMoves bounds how often one delivery of a message follows a payment that others keep moving.
const maxMoves = 20

// pauseAfterError is how long a message waits whose payment could not be read or written.
const pauseAfterError = 2 * time.Second

// job is the work on one order during one delivery of one message.
type job struct {
	ref     payment.Ref
	cmd     payment.Command // empty for a webhook
	meaning string          // cmd's fingerprint
	conn    connectors.Connector
	payment payment.Payment   // as it was read from the log or written there last; may be older than the log
	seq     uint64            // of that event; 0 when the log is believed to know nothing
	started time.Time         // when the lease began, or will begin at the earliest, by Options.Local
	held    *idempotency.Held // nil when the claim store cannot be asked, and when the claim was given back
	looked  bool              // a look-up was made already
	// reserved says that a call was reserved in the provider's budget and waited for, and is not made yet.
	reserved bool
	// known says that a worker worked on the order before, so that the log is read first: that costs less than a
	// call out of the provider's budget for a payment of which nothing is left to do. It is a hint.
	known bool
}
