package simulation

import (
	"context"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// Lookup asks the provider. After its deadline it asks nothing and hears nothing.
func (c providerPort) Lookup(_ context.Context, q connectors.Query) (payment.Observation, error) {
	w, deadline := c.p.w, c.p.mono()
	if w.current != nil {
		deadline = w.current.asked // the engine looks at the clock after it sets the deadline
	}
	deadline += timing().SubmitTimeout
	t, err := c.p.call()
	if err != nil || c.p.mono() >= deadline {
		return c.unheard()
	}
	w.judgeLookup(t)
	asked, o := w.now, w.orderOf(q.Ref)
	t.travel()
	if w.now < o.hangs {
		t.hang(deadline)
		return c.unheard()
	}
	if w.fails(lookupFails) {
		t.travel()
		return c.unheard()
	}
	if w.outage.lookups && w.refusesAccount(o.cmd) {
		t.travel()
		return payment.Observation{}, misconfigured()
	}
	says := c.answer(o, asked)
	if w.tracing {
		w.note("%s looks %s up: %s", c.p.name, q.Order, says.Kind)
	}
	if t.travel(); c.p.mono() >= deadline {
		return c.unheard()
	}
	if t.answered, t.unreadable = true, nil; says.Kind == payment.Indeterminate {
		t.unreadable = &says
	}
	return says, nil
}

// unheard is a look-up without an answer.
func (c providerPort) unheard() (payment.Observation, error) {
	c.p.gate.calls.truly++
	return payment.Observation{}, context.DeadlineExceeded
}

// answer is what the provider says of an order.
func (c providerPort) answer(o *order, asked time.Duration) payment.Observation {
	if c.p.w.sees(o) {
		return c.p.w.says(o.deal)
	}
	o.notFound = append(o.notFound, asked)
	return payment.Observation{Kind: payment.Unknown, Settling: settling()}
}
