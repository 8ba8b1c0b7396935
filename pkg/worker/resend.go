package worker

import (
	"context"
	"fmt"

	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// DefaultMaxSubmits is how often an order is sent at most of which the provider says that it does not know it.
const DefaultMaxSubmits = 3

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
	// The time of this very moment: the process may have stood still since it looked at the limit.
	if decision, shut := w.closed(j.cmd, w.Now()); shut && decision.Kind == payment.Park {
		return queue.ParkUntil(decision.ResumeAt), true, nil
	} else if shut {
		return queue.Verdict{}, false, w.decide(ctx, j, decision)
	}
	j.placed = true
	done, why, err := w.admitSubmit(ctx, j)
	if why.code != "" {
		return queue.ParkUntil(why.again), true, nil
	}
	if err != nil {
		return queue.Verdict{}, false, err
	}
	return queue.Verdict{}, false, w.submit(ctx, j, done)
}

// refusedForGood ends a payment whose create request was refused by a code that nobody documents, at a provider
// where a refused request leaves no order, and which says twice that it does not know the order.
func refusedForGood(p payment.Payment) payment.Observation {
	end := refusal(payment.ReasonDeclined, "the provider refused the request and does not know the order")
	if p.Reason != nil {
		end.Reason.ProviderCode = p.Reason.ProviderCode
	}
	return end
}

// submitLimit says why an order that the provider does not know is not sent again by the program; nil when it is.
func (w *Worker) submitLimit(j *job) *payment.Reason {
	p, limit := j.payment, w.GiveUpPolicy(j.ref.Provider, j.cmd.Operation).MaxSubmits
	if limit <= 0 {
		limit = DefaultMaxSubmits
	}
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

// toldLimit reports whether a person was told that a payment is at its submit limit. It stays there until a person has it sent
// again, whatever the time is now: a worker that stood still may take it for earlier than it is, for a moment.
func toldLimit(p payment.Payment) bool {
	return p.Reason != nil && p.Reason.Code == payment.ReasonSubmitLimit && !p.RetryApproved
}

// knownUnknown reports whether the provider says once more what it said twice. Written down each time, every
// "unknown" would begin the wait of the log's timers again.
func knownUnknown(p payment.Payment, o payment.Observation) bool {
	return o.Kind == payment.Unknown && p.Status == payment.InDoubt && p.NotFound > 1
}
