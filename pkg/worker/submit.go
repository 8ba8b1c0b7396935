package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/tracing"
)

// submit writes the intent and, if that append was won, calls the provider and writes what it said. done
// is told how the call ended.
func (w *Worker) submit(ctx context.Context, j *job, done func(called bool, err error)) error {
	called, failed := false, error(nil)
	defer func() { done(called, failed) }() // also after a panic: a probe's place must not be lost
	// Only the append's success allows the call.
	if err := w.decide(ctx, j, payment.Observation{Kind: payment.Intend, Source: payment.FromWorker}); err != nil {
		return err
	}
	intended := w.Local()
	w.OnStep(StepIntended, j.ref)
	var observation payment.Observation
	observation, failed = w.call(ctx, j)
	called = !errors.Is(failed, errMayNotSend)
	observation.Source, observation.Attempt = payment.FromSubmit, j.payment.Attempts
	w.OnStep(StepCalled, j.ref)
	if observation.Kind == payment.Indeterminate {
		if err := w.redate(ctx, j, intended); err != nil {
			return err
		}
	}
	write := func() error { return w.observe(ctx, j, observation, w.Now()) }
	if observation.Withdrawn { // the next attempt has the same number: what others wrote meanwhile may be that one
		write = func() error { return w.decide(ctx, j, observation) }
	}
	if err := write(); err != nil {
		return err
	}
	w.OnStep(StepAppended, j.ref)
	return nil
}

// redate moves the time of a request of which nothing is known to where it belongs: the machine can have stood still
// before it was read, with its clocks, and "not known" would be believed too early. No more time has passed since the
// intent than the monotonic clock shows. Where the time cannot be had nothing is written: the log has the intent.
func (w *Worker) redate(ctx context.Context, j *job, intended time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	if err := w.Measure(ctx); err != nil {
		return fmt.Errorf("measure the time: %w", err)
	}
	elapsed := w.Local().Sub(intended) // first: a suspension between the two makes the time later, not earlier
	if at := w.Now().Add(-elapsed).UTC(); at.After(j.payment.SubmittedAt) {
		j.payment.SubmittedAt = at
	}
	return nil
}

// call asks the provider to execute the command. A request that is proven not to have been sent is
// tried again for a short time; nothing else ever is.
func (w *Worker) call(ctx context.Context, j *job) (observation payment.Observation, failed error) {
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(w.Timing.RetryInitial), backoff.WithMaxElapsedTime(w.Timing.RetryFor))
	// failed is of the last call: Retry itself returns the context's error when the process stops.
	_ = backoff.Retry(func() error {
		again := failed != nil
		if again && !w.timely(j.cmd) {
			return backoff.Permanent(failed)
		}
		observation, failed = w.callOnce(ctx, j)
		if again && !errors.Is(failed, errMayNotSend) {
			w.metrics.again(ctx, j)
		}
		if failed != nil && !mayCallAgain(failed) {
			return backoff.Permanent(failed)
		}
		return failed
	}, backoff.WithContext(pause, ctx))
	if failed != nil {
		observation = w.observationOf(ctx, j, failed)
	}
	return observation, failed
}

// timely reports whether a command has not expired and its provider has not closed during a pause.
func (w *Worker) timely(cmd payment.Command) bool {
	now := w.Now()
	_, shut := w.closed(cmd, now)
	return !shut && !cmd.Expired(now)
}

// mayCallAgain reports whether a call is proven not to have reached the provider, which may be back in
// a moment.
func mayCallAgain(err error) bool {
	failed := connectors.Classify(err)
	return failed.Class == connectors.NotSent && failed.Code == payment.ReasonUnreachable
}

func notSent(code string, cause error) error {
	return &connectors.Error{Class: connectors.NotSent, Code: code, Evidence: "the request was not begun", Err: cause}
}

// callOnce makes exactly one call, if the fence lets it pass. It is cut off by its timeout only: a process that
// stops lets it end. An order that was sent before goes over a connection of its own, so that its answer is
// not another's.
func (w *Worker) callOnce(ctx context.Context, j *job) (payment.Observation, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	began := w.Local()
	if err := w.inLease(j, began); err != nil { // the fence asks again; here it saves the dialing
		return payment.Observation{}, notSent(payment.ReasonInterrupted, err)
	}
	ctx = connectors.WithSending(ctx, connectors.Sending{Check: w.fence(j), NewConnection: j.payment.Submits > 1})
	ctx, span := tracing.StartCall(ctx, "submit", j.ref, j.payment.Attempts)
	observation, err := j.conn.Submit(ctx, j.cmd)
	span.End(err)
	w.metrics.called(ctx, j, "submit", w.Local().Sub(began), err)
	return observation, err
}

// observationOf turns a failed call into what was learned from it.
func (w *Worker) observationOf(ctx context.Context, j *job, err error) payment.Observation {
	failed := connectors.Classify(err)
	w.Logger.WarnContext(ctx, "the provider did not take the payment", "provider", j.ref.Provider, "order", j.ref.Order,
		"class", failed.Class.String(), "code", failed.Code, "provider_code", failed.ProviderCode, "evidence", failed.Evidence)
	observation := payment.Observation{Reason: failed.Reason(), Known: failed.Known, Refused: failed.Refused, Reference: failed.Reference}
	switch failed.Class {
	case connectors.Rejected:
		observation.Kind = payment.Declined
	case connectors.NotSent, connectors.Throttled, connectors.Misconfigured:
		observation.Kind = payment.NotExecuted
		if stopping(ctx) && failed.Code == payment.ReasonUnreachable {
			return withdrawn(j.payment)
		}
		observation.ResumeAt = w.inTime(j.cmd, w.Now().Add(max(failed.RetryAfter, w.parkFor(j.payment.Attempts))))
	default:
		observation.Kind = payment.Indeterminate
	}
	return observation
}

// withdrawn takes back an attempt that the process's own stop cut short while nothing could be sent. It
// does not count, and another worker goes on at once: the payment resumes when the attempt began, which is
// over for any worker's clock.
func withdrawn(p payment.Payment) payment.Observation {
	return payment.Observation{
		Kind: payment.NotExecuted, Withdrawn: true, ResumeAt: p.SubmittedAt, Reason: &payment.Reason{Code: payment.ReasonStopping},
	}
}

// parkFor doubles with every attempt.
func (w *Worker) parkFor(attempts int) time.Duration {
	pause := w.Timing.ParkMin
	for range attempts - 1 {
		if pause *= 2; pause >= w.Timing.ParkMax {
			return w.Timing.ParkMax
		}
	}
	return pause
}

// lookUp asks the provider about the order and writes what it said. An answer that could not be had
// says nothing about the payment, but one that was interrupted is then seen to be in doubt. That the order is
// still not known is no news once a person was told that it is not sent again. A person is told of a payment that
// needs one.
func (w *Worker) lookUp(ctx context.Context, j *job, done func(called bool, err error)) error {
	observation, asked, answered := w.ask(ctx, j, done)
	if !knownUnknown(j.payment, observation) || !toldLimit(j.payment) || j.cmd.Expired(w.Now()) {
		if err := w.observe(ctx, j, observation, asked); err != nil {
			return err
		}
	}
	return w.tell(ctx, j, answered)
}

// ask looks an order up at the provider. asked is when, answered whether anything was learned; done is told
// how the call ended.
func (w *Worker) ask(ctx context.Context, j *job, done func(called bool, err error)) (observation payment.Observation, asked time.Time, answered bool) {
	called, err := false, error(nil)
	defer func() { done(called, err) }()
	callCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	callCtx, span := tracing.StartCall(callCtx, "lookup", j.ref, j.payment.Attempts)
	asked = w.Now()
	observation, err = j.conn.Lookup(callCtx, connectors.Query{
		Ref: j.ref, Operation: j.payment.Operation, Reference: j.payment.ProviderReference, Amount: j.payment.Amount,
	})
	called = true
	span.End(err)
	w.metrics.called(ctx, j, "lookup", w.Now().Sub(asked), err)
	if err != nil {
		failed := connectors.Classify(err) // its text stays out: nobody knows here whose name the provider repeats
		w.Logger.WarnContext(ctx, "the provider could not be asked", "provider", j.ref.Provider, "order", j.ref.Order,
			"class", failed.Class.String(), "code", failed.Code, "provider_code", failed.ProviderCode, "evidence", failed.Evidence)
		observation = payment.Observation{Kind: payment.Indeterminate, Reason: &payment.Reason{Code: payment.ReasonInterrupted}}
	}
	observation.Source = payment.FromLookup
	return observation, asked, err == nil
}

// decide writes a decision of our own, made on the payment as the job knows it. It never follows a
// payment that others moved: what they wrote can be another command's, or another worker's request.
func (w *Worker) decide(ctx context.Context, j *job, decision payment.Observation) error {
	next, _, err := payment.Decide(j.payment, decision, w.Now())
	if err != nil {
		return err
	}
	return w.append(ctx, j, next)
}

// observe applies an observation to the payment and writes the result, following the payment if others
// moved it. A process that stops still writes what it has learned. at is when the provider was asked:
// an "unknown" that waited for its append must not count against an attempt made since.
func (w *Worker) observe(ctx context.Context, j *job, observation payment.Observation, at time.Time) error {
	traits := j.conn.Traits()
	observation.Settling, observation.OneReference = max(observation.Settling, traits.SettlingDelay), traits.OneReference
	for range maxMoves {
		if observation.Action != nil { // to see whether the customer is asked for something else now
			if err := w.readActions(ctx, j); err != nil {
				return err
			}
		}
		observation.PageGrace = w.pageGrace(j.payment, traits)
		next, changed, err := payment.Decide(j.payment, observation, at)
		if err != nil || !changed {
			return err
		}
		err = w.append(ctx, j, next)
		if errors.Is(err, events.ErrStale) {
			err = w.reload(ctx, j)
		}
		if err != nil {
			return err
		}
	}
	return events.ErrStale
}

// completeReversal writes the second event of a reversal that showed that the payment had settled, where the first is the
// payment's last event: who wrote it got no further. The answer of a look-up is not kept anywhere else, and an outcome is
// not looked up again, so the money that went back would never be told.
func (w *Worker) completeReversal(ctx context.Context, j *job) error {
	if !j.payment.ReversalPending() {
		return nil
	}
	said := payment.Reason{Code: payment.ReasonReversed, ProviderCode: j.payment.Reason.ProviderCode}
	return w.observe(ctx, j, payment.Observation{Kind: payment.Reversal, Reason: &said}, w.Now())
}

// append writes the next event of the payment.
func (w *Worker) append(ctx context.Context, j *job, next payment.Payment) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	seq, err := w.Log.Append(ctx, next, j.seq)
	if err != nil {
		return err
	}
	from := j.payment.Status
	j.payment, j.seq = next, seq
	w.announce(ctx, from, next)
	return nil
}

// reload reads the payment from the log.
func (w *Worker) reload(ctx context.Context, j *job) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	current, seq, err := w.Log.Last(ctx, j.ref)
	if err != nil {
		return err
	}
	j.payment, j.seq = current, seq
	return nil
}

// readActions reads the content of what the customer must do.
func (w *Worker) readActions(ctx context.Context, j *job) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timing.SubmitTimeout)
	defer cancel()
	p, err := w.Log.Actions(ctx, j.payment)
	if err == nil {
		j.payment = p
	}
	return err
}
