package simulation

import (
	"context"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// submitMutants mistake how often an order may be sent, what a refusal means, and a refusal of our account.
func submitMutants() []Mutant {
	// What a mistake makes of a request is then carried on from event to event.
	carried := func(name string, atRequest func(before payment.Payment, p *payment.Payment), later func(before payment.Payment, p *payment.Payment)) Mutant {
		return rewriting(name, func(_ *world, before, p payment.Payment) payment.Payment {
			if p.Status == payment.Submitting {
				atRequest(before, &p)
			} else if !before.FirstSubmittedAt.IsZero() {
				later(before, &p)
			}
			return p
		})
	}
	return []Mutant{
		{Name: "send as often as it is not known", timeout: func(p *worker.GiveUpPolicy) { p.MaxSubmits = 1000 }},
		{Name: "send once more than is allowed", timeout: func(p *worker.GiveUpPolicy) { p.MaxSubmits = maxSubmits(*p) + 1 }},
		carried("count requests again with each",
			func(_ payment.Payment, p *payment.Payment) { p.Submits = 1 },
			func(before payment.Payment, p *payment.Payment) { p.Submits = before.Submits }),
		carried("count the age of a doubt from the last request",
			func(_ payment.Payment, p *payment.Payment) { p.FirstSubmittedAt = p.SubmittedAt },
			func(before payment.Payment, p *payment.Payment) { p.FirstSubmittedAt = before.FirstSubmittedAt }),
		carried("approve for ever",
			func(before payment.Payment, p *payment.Payment) { p.RetryApproved = before.RetryApproved },
			func(before payment.Payment, p *payment.Payment) {
				p.RetryApproved = p.RetryApproved || before.RetryApproved && p.Status == payment.InDoubt
			}),
		{Name: "end a refused payment where nobody promises that it left no order", connector: func(_ *world, c providerPort) connectors.Connector { return promising{c} }},
		rewriting("believe one 'unknown' of a refused payment", func(w *world, _, p payment.Payment) payment.Payment {
			if w.refusalLeavesNoOrder && p.Status == payment.InDoubt && p.Refused && p.NotFound == 1 {
				p.Status, p.Refused, p.OverdueAt = payment.Failed, false, time.Time{}
				p.Reason = &payment.Reason{Code: payment.ReasonDeclined}
			}
			return p
		}),
		{Name: "take a refusal of our account for one of the payment", connector: func(_ *world, c providerPort) connectors.Connector {
			return brokenConnector{providerPort: c, submit: func(o payment.Observation, err error) (payment.Observation, error) {
				if err != nil && connectors.ClassOf(err) == connectors.Misconfigured {
					err = &connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined, ProviderCode: "401"}
				}
				return o, err
			}}
		}},
		{Name: "send on while our account is refused", limits: func(_ *world, g *gate) worker.Limits { return blindToAccount{g} }},
		{Name: "never try a refused account again", limits: func(_ *world, g *gate) worker.Limits { return hopeless{g} }},
	}
}

// promising says what the provider does not.
type promising struct{ providerPort }

func (c promising) Traits() connectors.Traits {
	t := c.providerPort.Traits()
	t.RefusalLeavesNoOrder = true
	return t
}

// blindToAccount has no breaker for the account.
type blindToAccount struct{ *gate }

func (blindToAccount) EnterAccount(context.Context, payment.Ref, string) (func(bool, error), time.Time, bool) {
	return func(bool, error) {}, time.Time{}, true
}

// hopeless lets nothing through any more once the account was refused.
type hopeless struct{ *gate }

func (l hopeless) EnterAccount(ctx context.Context, ref payment.Ref, way string) (func(bool, error), time.Time, bool) {
	if l.gate.account(way).open {
		if t := l.gate.p.w.current; t != nil {
			t.accountRefused = true
		}
		return nil, l.gate.p.clock().Add(accountPause), false
	}
	return l.gate.EnterAccount(ctx, ref, way)
}
