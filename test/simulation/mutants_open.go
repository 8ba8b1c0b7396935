package simulation

import (
	"context"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
	"payonce/pkg/reconcile"
	"payonce/pkg/worker"
)

// openMutants mistake the timers of open payments, the limits, or what people may do.
func openMutants() []Mutant {
	return []Mutant{
		{Name: "skip look-up of pending", forgetTimer: func(_ string, s payment.Status) bool { return s == payment.Pending }},
		{Name: "skip look-up of what has no command", forgetTimer: func(_ string, s payment.Status) bool { return s != payment.Pending }},
		{Name: "drop an event that is not due yet", verdict: acknowledge(queue.Retry, events.StreamPayments)},
		{Name: "tell a person at every look-up", engine: func(e reconcile.Engine) reconcile.Engine { return impatient{e} }},
		{Name: "repeat look-ups that hang while others wait", engine: func(e reconcile.Engine) reconcile.Engine { return stubborn{e} }},
		{Name: "end what is overdue", log: func(_ *world, l worker.Log) worker.Log { return endOverdue{l} }},
		{Name: "count declines as failures", unavailable: func(err error) bool { return err != nil }},
		{Name: "reject what was sent while the breaker is open", limits: func(w *world, g *gate) worker.Limits { return rejecting{g, w} }},
		{Name: "cancel what is in doubt", service: func(l operator.Log) operator.Log { return carelessService{l} }},
	}
}

// impatient finds every payment open for too long.
type impatient struct{ reconcile.Engine }

func (e impatient) Overdue(ctx context.Context, m events.Message, _ time.Duration) queue.Verdict {
	return e.Engine.Overdue(ctx, m, 0)
}

// stubborn does not say that a look-up had no answer, so that none gives way.
type stubborn struct{ reconcile.Engine }

func (e stubborn) Overdue(ctx context.Context, m events.Message, limit time.Duration) queue.Verdict {
	v := e.Engine.Overdue(ctx, m, limit)
	v.Unanswered = false
	return v
}

// endOverdue fails what is open for too long.
type endOverdue struct{ worker.Log }

func (l endOverdue) Append(ctx context.Context, p payment.Payment, after uint64) (uint64, error) {
	if !p.OverdueAt.IsZero() && p.OverdueAt.Equal(p.UpdatedAt) {
		p.Status, p.OverdueAt = payment.Failed, time.Time{}
	}
	return l.Log.Append(ctx, p, after)
}

// rejecting fails what may have been sent when the breaker refuses its look-up.
type rejecting struct {
	*gate
	w *world
}

func (l rejecting) Enter(ctx context.Context, provider string) (func(bool, error), time.Time, bool) {
	done, again, ok := l.gate.Enter(ctx, provider)
	if ok || l.w.current == nil {
		return done, again, ok
	}
	p := l.w.log.last(l.w.current.m.ref).stands
	if p.Status == payment.Submitting || p.Status == payment.InDoubt {
		p.Status, p.Revision = payment.Failed, p.Revision+1
		p.Reason = &payment.Reason{Code: payment.ReasonBreakerOpen}
		_, _ = brokenLog{w: l.w}.write(p)
	}
	return done, again, ok
}

// carelessService takes a payment in doubt for one of which nothing was sent.
type carelessService struct{ operator.Log }

func (l carelessService) Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error) {
	p, seq, err := l.Log.Last(ctx, ref)
	if p.Status == payment.InDoubt {
		p.Status = payment.Parked
	}
	return p, seq, err
}
