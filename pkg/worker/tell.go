package worker

import (
	"context"
	"fmt"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// explainFor is how long an open payment waits for a look-up to explain what its provider said, until a person
// is told all the same. It counts while the provider can be asked.
const explainFor = 5 * time.Minute

// explain follows up on a webhook about an open payment. If it cannot be mapped, the provider is asked at once, or
// when it opens, and a person is told if its answer does not end the payment. The verdict asks for the webhook
// again while that is not done, after half the time for which the provider could be asked. A doubt that calls a person
// by itself is an alarm already; the provider is asked once, so that the person has what it says when it is asked.
func (w *Worker) explain(ctx context.Context, j *job, before uint64) (queue.Verdict, error) {
	if !open(j.payment) {
		return queue.Acknowledge(), nil
	}
	if !j.payment.Unexplained() && (j.seq == before || !j.payment.CallsPerson()) { // news from the provider itself
		return queue.Acknowledge(), w.tell(ctx, j, true)
	}
	if opens, shut := w.shut(j.ref.Provider, j.payment.Operation); shut {
		return queue.ParkUntil(opens.Add(place(j.ref, w.Timing.ResumeSpread))), nil
	}
	done, again := w.admitted(ctx, j)
	if done == nil && again.IsZero() { // the process stops
		return queue.RetryAfter(pauseAfterError), nil
	}
	answered, said := false, j.payment.UpdatedAt
	if n := len(j.payment.Annotations); n > 0 {
		said = j.payment.Annotations[n-1].At
	}
	if done != nil {
		var observation payment.Observation
		var asked time.Time
		observation, asked, answered = w.ask(ctx, j, done)
		if answered {
			if err := w.observe(ctx, j, observation, asked); err != nil {
				return queue.Verdict{}, err
			}
		}
		again = w.Now().Add(max(w.openTime(j.payment, said)/2, waitMin))
	}
	if err := w.tell(ctx, j, answered); err != nil {
		return queue.Verdict{}, err
	}
	if !answered && j.payment.Unexplained() {
		return queue.ParkUntil(again), nil
	}
	return queue.Acknowledge(), nil
}

// tell makes sure that a person knows of an open payment that needs one: because its provider said something
// that no look-up explains, or because it has been open for longer than its provider needs. It is called after
// the provider spoke or was asked; answered says whether it gave an answer.
func (w *Worker) tell(ctx context.Context, j *job, answered bool) error {
	p := j.payment
	if p.Status != payment.Pending && p.Status != payment.InDoubt {
		return nil
	}
	if p.Unexplained() {
		last := p.Annotations[len(p.Annotations)-1]
		if !answered && w.openTime(p, last.At) < explainFor {
			return nil
		}
		return w.decide(ctx, j, overdue(whyTold(p)))
	}
	if limit := w.Threshold(p.Provider); limit > 0 && w.tooLong(j, limit) {
		return w.decide(ctx, j, overdue(nil))
	}
	return nil
}

// overdue tells a person; a nil reason is that the payment is open for too long.
func overdue(why *payment.Reason) payment.Observation {
	return payment.Observation{Kind: payment.Overdue, Source: payment.FromWorker, Reason: why}
}

// whyTold is why a person is told of an open payment: what its provider said, or nil for the time alone.
func whyTold(p payment.Payment) *payment.Reason {
	if !p.Unexplained() {
		return nil
	}
	a := p.Annotations[len(p.Annotations)-1]
	why := &payment.Reason{Code: payment.ReasonUnexplained, Message: fmt.Sprintf("%s says %s", a.Source, a.Kind)}
	if a.Reason != nil {
		why.ProviderCode = a.Reason.ProviderCode
		if a.Reason.Message != "" {
			why.Message += ": " + a.Reason.Message
		}
	}
	return why
}

// openTime is how much of the time since then the provider was open.
func (w *Worker) openTime(p payment.Payment, since time.Time) time.Duration {
	return w.Opening(p.Provider, p.Operation).Hours.OpenDuration(since, w.Now())
}
