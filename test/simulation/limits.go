package simulation

import (
	"context"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/limits"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// spared is what the provider of a run is spared. The zero value limits nothing.
type spared struct {
	policy  limits.Policy
	timeout map[payment.Operation]worker.GiveUpPolicy
}

// drawLimits makes half of the runs free of limits.
func (w *world) drawLimits() spared {
	s := spared{timeout: map[payment.Operation]worker.GiveUpPolicy{}}
	for _, op := range payment.Operations() {
		s.timeout[op] = worker.GiveUpPolicy{MaxSubmits: w.rng.IntN(5)}
	}
	if w.rng.IntN(2) == 0 {
		return s
	}
	s.policy.Breaker = limits.Breaker{Failures: 1 + w.rng.IntN(3), OpenFor: w.between(5*time.Second, 2*time.Minute), Probes: 1}
	if w.rng.IntN(2) == 0 {
		s.policy.Rate = limits.Rate{Calls: 1, Per: w.between(time.Second, 30*time.Second), Burst: 1 + w.rng.IntN(2)}
	}
	for _, op := range payment.Operations() {
		p := s.timeout[op]
		p.Down = [...]worker.DownPolicy{worker.ParkDown, worker.RejectDown}[w.rng.IntN(2)]
		if w.rng.IntN(3) == 0 {
			p.GiveUpAfter = w.between(5*time.Minute, time.Hour)
		}
		s.timeout[op] = p
	}
	return s
}

// gate limits the calls of one process to a provider. The budget is that of pkg/limits, on the clock of
// the run. The breakers stand for those of pkg/limits, whose library has a clock of its own; what counts as
// not available is the rule of pkg/limits.
type gate struct {
	budget   *limits.Limits
	p        *process
	calls    breaker
	accounts map[string]*breaker // by way of paying
}

func (p *process) newGate() *gate {
	policy := p.w.limits.policy
	g := &gate{p: p, calls: breaker{p: p, config: policy.Breaker}, accounts: map[string]*breaker{}}
	if policy.Rate.Calls > 0 {
		budget, err := limits.New(limits.Options{Policies: map[string]limits.Policy{acme: {Rate: policy.Rate}}, Now: p.clock})
		if err != nil {
			panic(err) // drawLimits drew no limits
		}
		g.budget = budget
	}
	return g
}

func (g *gate) Enter(context.Context, string) (done func(called bool, err error), again time.Time, ok bool) {
	turn, again, ok := g.calls.enter()
	if t := g.p.w.current; t != nil {
		t.refused = !ok
	}
	if !ok {
		g.p.w.happened[breakerOpen]++
		return nil, again, false
	}
	unavailable := limits.Unavailable
	if g.p.w.mutant.unavailable != nil {
		unavailable = g.p.w.mutant.unavailable
	}
	return func(called bool, err error) { g.calls.result(turn, called, unavailable(err)) }, time.Time{}, true
}

func (g *gate) account(way string) *breaker {
	if g.accounts[way] == nil {
		g.accounts[way] = &breaker{p: g.p, config: limits.Breaker{Failures: 1, OpenFor: accountPause, Probes: 1}}
	}
	return g.accounts[way]
}

// EnterAccount opens an account's breaker when the provider refused two orders in a row, as pkg/limits does.
func (g *gate) EnterAccount(_ context.Context, ref payment.Ref, way string) (done func(called bool, err error), again time.Time, ok bool) {
	account := g.account(way)
	turn, again, ok := account.enter()
	if t := g.p.w.current; t != nil {
		t.accountRefused = !ok
	}
	if !ok {
		return nil, again, false
	}
	return func(called bool, err error) {
		called = called && !limits.Unavailable(err)
		refused := err != nil && connectors.ClassOf(err) == connectors.Misconfigured
		switch last := account.order; {
		case !called:
		case refused:
			called = account.open || last != "" && last != ref.Order
			account.order = ref.Order
		default:
			account.order = ""
		}
		account.result(turn, called, refused)
	}, time.Time{}, true
}

func (g *gate) Reserve(ctx context.Context, provider string, timeout time.Duration) (time.Duration, bool) {
	if g.budget == nil {
		return 0, true
	}
	wait, ok := g.budget.Reserve(ctx, provider, timeout)
	if wait > 0 {
		g.p.w.happened[budgetSpent]++
	}
	return wait, ok
}

// wait is the engine's wait for its place in the budget.
func (p *process) wait(_ context.Context, d time.Duration) {
	if t := p.w.current; t != nil && !p.dead {
		t.wait(d)
	}
}

// judgeDown checks that who refuses a payment because of a breaker has just been refused by it, and that this
// is the policy.
func (w *world) judgeDown(t *task, p payment.Payment) {
	if p.Status != payment.Failed {
		return
	}
	down := w.limits.timeout[p.Operation].Down == worker.RejectDown
	switch code(p) {
	case payment.ReasonBreakerOpen:
		down = down && t.refused
	case payment.ReasonAccountMisconfigured:
		down = down && t.accountRefused
	default:
		return
	}
	if !down {
		w.problem("%s: refused by a breaker that is closed, or that is to be waited for", p.Order)
	}
}

// timeout answers the engine of a process.
func (p *process) timeout(_ string, op payment.Operation) worker.GiveUpPolicy {
	limit := p.w.limits.timeout[op]
	if p.w.mutant.timeout != nil {
		p.w.mutant.timeout(&limit)
	}
	return limit
}
