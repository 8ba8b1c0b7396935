package simulation

import (
	"context"
	"time"

	"payonce/pkg/limits"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// spared is what the provider of a run is spared. The zero value limits nothing.
type spared struct {
	policy   limits.Policy
	patience map[payment.Operation]worker.Patience
}

// drawLimits makes half of the runs free of limits.
func (w *world) drawLimits() spared {
	s := spared{patience: map[payment.Operation]worker.Patience{}}
	if w.rng.IntN(2) == 0 {
		return s
	}
	s.policy.Breaker = limits.Breaker{Failures: 1 + w.rng.IntN(3), OpenFor: w.between(5*time.Second, 2*time.Minute), Probes: 1}
	if w.rng.IntN(2) == 0 {
		s.policy.Rate = limits.Rate{Calls: 1, Per: w.between(time.Second, 30*time.Second), Burst: 1 + w.rng.IntN(2)}
	}
	for _, op := range payment.Operations() {
		p := worker.Patience{Down: [...]worker.DownPolicy{worker.ParkDown, worker.RejectDown}[w.rng.IntN(2)]}
		if w.rng.IntN(3) == 0 {
			p.GiveUpAfter = w.between(5*time.Minute, time.Hour)
		}
		s.patience[op] = p
	}
	return s
}

// gate keeps a provider from being overrun by one process. The budget is that of pkg/limits, on the clock of
// the run. The breaker stands for the one of pkg/limits, whose library has a clock of its own; what counts as
// not available is the rule of pkg/limits.
type gate struct {
	budget *limits.Limits
	p      *process
	config limits.Breaker

	turn     int           // grows whenever the breaker opens, closes or tries
	failures int           // in a row, in this turn
	until    time.Duration // when an open breaker tries
	open     bool          // until a trial succeeds
	trying   bool          // the trial is under way
	truly    int           // calls that really did not find the provider available, in this turn
}

func (p *process) newGate() *gate {
	policy := p.w.limits.policy
	g := &gate{p: p, config: policy.Breaker}
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
	w, t := g.p.w, g.p.w.current
	switch {
	case !g.open:
	case w.now < g.until:
		again = g.p.clock().Add(g.until - w.now)
	case g.trying:
		again = g.p.clock().Add(5 * time.Second)
	default:
		g.next()
		g.trying = true
	}
	if t != nil {
		t.refused = !again.IsZero()
	}
	if !again.IsZero() {
		w.happened[breakerOpen]++
		return nil, again, false
	}
	turn := g.turn
	return func(called bool, err error) {
		if turn == g.turn {
			g.result(called, err)
		}
	}, time.Time{}, true
}

func (g *gate) next() {
	g.turn, g.failures, g.truly, g.trying = g.turn+1, 0, 0, false
}

// result is told of every call of this turn.
func (g *gate) result(called bool, err error) {
	unavailable := limits.Unavailable
	if g.p.w.mutant.unavailable != nil {
		unavailable = g.p.w.mutant.unavailable
	}
	switch {
	case !called:
		g.trying = false
	case !unavailable(err):
		if g.failures = 0; g.open {
			g.p.w.note("%s: the breaker closes", g.p.name)
			g.open = false
			g.next()
		}
	default:
		if g.failures++; g.open || g.failures == g.config.Failures {
			g.trip()
		}
	}
}

// trip opens the breaker, and checks that the provider was really not available.
func (g *gate) trip() {
	w := g.p.w
	w.note("%s: the breaker opens", g.p.name)
	if g.truly < g.failures {
		w.problem("%s: the breaker opens after %d failures, of which %d were the provider's", g.p.name, g.failures, g.truly)
	}
	g.open, g.until = true, w.now+g.config.OpenFor
	g.next()
}

func (g *gate) EnterAccount(context.Context, string, string) (done func(called bool, err error), again time.Time, ok bool) {
	return func(bool, error) {}, time.Time{}, true
}

func (g *gate) Reserve(ctx context.Context, provider string, patience time.Duration) (time.Duration, bool) {
	if g.budget == nil {
		return 0, true
	}
	wait, ok := g.budget.Reserve(ctx, provider, patience)
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

// judgeDown checks that who refuses a payment because of the breaker has just been refused by it, and that this
// is the policy.
func (w *world) judgeDown(t *task, p payment.Payment) {
	if p.Status != payment.Failed || p.Reason == nil || p.Reason.Code != payment.ReasonBreakerOpen {
		return
	}
	if !t.refused || w.limits.patience[p.Operation].Down != worker.RejectDown {
		w.problem("%s: refused by a breaker that is closed, or that is to be waited for", p.Order)
	}
}
