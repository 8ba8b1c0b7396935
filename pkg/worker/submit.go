package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v4"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/tracing"
)

// sendAgain sends an order that the provider does not know once more, or ends it: it was refused in a way that
// leaves no order, or it has expired. One that was sent as often as configured stays in doubt, and a person is
// told. While the provider is closed or not available it stays in doubt, too. The slot of the look-up in the
// provider's budget does for this call: the answer is worth nothing after a wait.
func (w *Worker) sendAgain(ctx context.Context, j *job) (queue.Verdict, bool, error) {
	if j.payment.Refused && j.conn.Traits().RefusalLeavesNoOrder {
		return queue.Verdict{}, false, w.decide(ctx, j, refusedForGood(j.payment))
	}
	if j.cmd.Expired(w.Now()) {
		return queue.Verdict{}, false, w.decide(ctx, j, refusal(payment.ReasonExpired, "expires_at has passed and the provider does not know the order"))
	}
	if toldLimit(j.payment) {
		return queue.ParkUntil(w.nextLookup(j.payment)), true, nil
	}
	if why := w.submitLimit(j); why != nil {
		return queue.Verdict{}, false, w.decide(ctx, j, overdue(why))
	}
	// The time of this very moment: the process may have been suspended since it looked at the limit.
	if decision, shut := w.closed(j.cmd, w.Now()); shut && decision.Kind == payment.Park {
		return queue.ParkUntil(decision.ResumeAt), true, nil
	} else if shut {
		return queue.Verdict{}, false, w.decide(ctx, j, decision)
	}
	j.reserved = true
	a := w.admitSubmit(ctx, j)
	switch {
	case a.permit != nil:
		return queue.Verdict{}, false, w.submit(ctx, j, a.permit)
	case a.block.code != "":
		return queue.ParkUntil(a.block.again), true, nil
	}
	return queue.Verdict{}, false, a.err
}

// refusedForGood ends a payment whose create request was refused by an undocumented code, at a provider
// where a refused request leaves no order, and which says twice that it does not know the order.
func refusedForGood(p payment.Payment) payment.Observation {
	end := refusal(payment.ReasonDeclined, "the provider refused the request and does not know the order")
	if p.Reason != nil {
		end.Reason.ProviderCode = p.Reason.ProviderCode
	}
	return end
}

// toldLimit reports whether a person was told that a payment is at its submit limit. It stays there until a person has it sent
// again, whatever the time is now: a worker that stood still may take it for earlier than it is, for a moment.
func toldLimit(p payment.Payment) bool {
	return p.Reason != nil && p.Reason.Code == payment.ReasonSubmitLimit && !p.RetryApproved
}

// submitLimit says why an order that the provider does not know is not sent again by the program; nil when it is.
func (w *Worker) submitLimit(j *job) *payment.Reason {
	p, limit := j.payment, max(w.GiveUpPolicy(j.ref.Provider, j.cmd.Operation).MaxSubmits, 1)
	why := &payment.Reason{Code: payment.ReasonSubmitLimit}
	switch end := w.givesUpAt(j.cmd); {
	case p.RetryApproved:
		return nil
	case p.Requests() >= limit:
		why.Message = fmt.Sprintf("sent %d times, and the provider does not know the order", p.Requests())
	case !end.IsZero() && !w.Now().Before(end):
		why.Message = "give_up_after has passed, and the provider does not know the order"
	default:
		return nil
	}
	return why
}

// submit writes the intent and, if that append was won, calls the provider and writes what it said.
func (w *Worker) submit(ctx context.Context, j *job, permit permit) error {
	called, failed := false, error(nil)
	defer func() { permit.Done(called, failed) }() // also after a panic: a breaker's probe must not be lost
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
	var err error
	if observation.Withdrawn { // the next attempt has the same number: what others wrote meanwhile may be that one
		err = w.decide(ctx, j, observation)
	} else {
		err = w.observe(ctx, j, observation, w.Now())
	}
	if err == nil {
		w.OnStep(StepAppended, j.ref)
	}
	return err
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

// callOnce makes exactly one call, if the fence lets it pass. It is cut off by its timeout only: a process that
// stops lets it end. An order that was sent before goes over a connection of its own, so that its answer is
// not another's.
func (w *Worker) callOnce(ctx context.Context, j *job) (payment.Observation, error) {
	ctx, cancel := w.bounded(ctx)
	defer cancel()
	began := w.Local()
	if err := w.inLease(j, began); err != nil { // the fence asks again; here it saves the dialing
		return payment.Observation{}, &connectors.Error{
			Class: connectors.NotSent, Code: payment.ReasonInterrupted, Evidence: "no request was made", Err: err,
		}
	}
	ctx = connectors.WithSending(ctx, connectors.Sending{Check: w.fence(j), NewConnection: j.payment.Submits > 1})
	ctx, span := tracing.StartCall(ctx, "submit", j.ref, j.payment.Attempts)
	observation, err := j.conn.Submit(ctx, j.cmd)
	span.End(err)
	w.metrics.called(ctx, j, "submit", w.Local().Sub(began), err)
	return observation, err
}

// mayCallAgain reports whether a call is proven not to have reached the provider, which may be back in
// a moment.
func mayCallAgain(err error) bool {
	failed := connectors.Classify(err)
	return failed.Class == connectors.NotSent && failed.Code == payment.ReasonUnreachable
}

// observationOf turns a failed call into what was learned from it.
func (w *Worker) observationOf(ctx context.Context, j *job, err error) payment.Observation {
	failed := connectors.Classify(err)
	w.Logger.WarnContext(ctx, "the provider did not accept the payment", "provider", j.ref.Provider, "order", j.ref.Order,
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
		pause := doubled(w.Timing.ParkMin, w.Timing.ParkMax, j.payment.Attempts-1)
		observation.ResumeAt = w.inTime(j.cmd, w.Now().Add(max(failed.RetryAfter, pause)))
	default:
		observation.Kind = payment.Indeterminate
	}
	return observation
}

// stopping reports whether ctx ended because the process stops, and not because its time ran out.
func stopping(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), context.DeadlineExceeded)
}

// withdrawn takes back an attempt that the process's own stop cut short while nothing could be sent. It
// does not count, and another worker goes on at once: the payment resumes when the attempt began, which is
// over for any worker's clock.
func withdrawn(p payment.Payment) payment.Observation {
	return payment.Observation{
		Kind: payment.NotExecuted, Withdrawn: true, ResumeAt: p.SubmittedAt, Reason: &payment.Reason{Code: payment.ReasonStopping},
	}
}

// redate moves the time of a request of which nothing is known to where it belongs: the machine can have stood still
// before it was read, with its clocks, and "unknown" would be believed too early. No more time has passed since the
// intent than the monotonic clock shows. Where the time cannot be had nothing is written: the log has the intent.
func (w *Worker) redate(ctx context.Context, j *job, intended time.Time) error {
	ctx, cancel := w.bounded(ctx)
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
