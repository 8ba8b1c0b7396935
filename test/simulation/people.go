package simulation

import (
	"context"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/queue"
)

// planPeople draws what people do about an order.
func (w *world) planPeople(o *order) {
	someone := operator.Person{Name: "kim", Why: "asked by the merchant"}
	for range 2 { // most come when there is nothing to cancel
		if w.chance(cancels) {
			w.atService(o, w.calm, func(ctx context.Context, d operator.Service) (operator.Outcome, error) {
				return d.Cancel(ctx, o.ref, someone)
			})
		}
	}
	if w.chance(releases) {
		w.atService(o, w.calm, func(ctx context.Context, d operator.Service) (operator.Outcome, error) {
			return d.Release(ctx, o.ref, someone, d.Now())
		})
	}
	for range 3 {
		if w.chance(approves) || o.refuses && w.rng.IntN(3) == 0 {
			w.atService(o, w.calm+time.Hour, func(ctx context.Context, d operator.Service) (operator.Outcome, error) {
				return approve(ctx, d, o.ref, someone)
			})
		}
	}
	if w.chance(purges) {
		for range 3 { // most come when nothing is in doubt
			w.after(w.between(0, w.calm), func() { w.purge(o) })
		}
	}
}

// approve does what payctl payment retry does.
func approve(ctx context.Context, d operator.Service, ref payment.Ref, who operator.Person) (operator.Outcome, error) {
	p, seq, err := d.Log.Last(ctx, ref)
	if err != nil {
		return operator.Outcome{}, err
	}
	next, err := d.Retry(ctx, p, seq, who)
	return operator.Outcome{Before: p.Status, After: next.Status, Result: operator.Approved}, err
}

// atService lets a person decide at any time until then. The operator is a process like the others, but it takes no messages.
func (w *world) atService(o *order, until time.Duration, decide func(context.Context, operator.Service) (operator.Outcome, error)) {
	w.after(w.between(0, until), func() {
		p := &process{w: w, name: "operator", person: true, clocks: w.drawClocks()}
		p.ctx, p.stop = context.WithCancel(context.Background())
		w.processes = append(w.processes, p)
		var log operator.Log = logPort{p}
		if w.mutant.service != nil {
			log = w.mutant.service(log)
		}
		p.begin(&message{ref: o.ref, gone: true}, func(ctx context.Context, _ events.Message) queue.Verdict {
			outcome, err := decide(ctx, operator.Service{Log: log, Queue: serviceQueue{p}, Now: p.now})
			w.note("operator: %s: %s, %v", o.ref.Order, outcome.Result, err)
			return queue.Acknowledge()
		})
	})
}

// purge takes the command of a payment that may have been sent out of the queue, as an operator can by mistake.
func (w *world) purge(o *order) {
	p, _, err := w.log.read(o.ref, 0)
	if err != nil || p.Status != payment.InDoubt && p.Status != payment.Submitting {
		return
	}
	w.note("the command of %s is purged", o.ref.Order)
	o.purged = true
	if s := w.parked[o.ref]; s != nil && s.m.fingerprint == p.Fingerprint {
		delete(w.parked, o.ref)
	}
	for _, m := range w.messages {
		if m.stream == events.StreamCommands && m.ref == o.ref && m.fingerprint == p.Fingerprint {
			m.gone = true
		}
	}
}

// serviceQueue is the queue as a person reaches it.
type serviceQueue struct{ p *process }

func (q serviceQueue) QueuedCommand(_ context.Context, ref payment.Ref) (events.Message, error) {
	t, err := q.p.call()
	if err != nil {
		return events.Message{}, err
	}
	t.travel()
	for _, m := range q.p.w.messages {
		if m.stream == events.StreamCommands && m.ref == ref && !m.gone {
			return m.Message, nil
		}
	}
	if s := q.p.w.parked[ref]; s != nil {
		return s.m.Message, nil
	}
	return events.Message{}, events.ErrNotQueued
}

func (q serviceQueue) ReleaseParked(_ context.Context, ref payment.Ref, at time.Time) error {
	t, err := q.p.call()
	if err != nil {
		return err
	}
	t.travel()
	held := q.p.w.parked[ref]
	if held == nil {
		return events.ErrNotParked
	}
	q.p.w.hold(&schedule{m: held.m, due: roundUp(at)})
	return nil
}

func (q serviceQueue) DropParked(_ context.Context, ref payment.Ref) error {
	t, err := q.p.call()
	if err != nil {
		return err
	}
	t.travel()
	delete(q.p.w.parked, ref)
	return nil
}
