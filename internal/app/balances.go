package app

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/tracing"
)

const (
	// balanceAgain is the pause after the broker did not answer, and after a provider did not for the first time.
	balanceAgain = time.Minute
	// balanceAhead is how far ahead the clock of another worker may be before that is logged.
	balanceAhead = time.Minute
	// balanceTimeout bounds one request, and 1/balanceSpread is by what part of the interval workers differ, so that one of them asks.
	balanceTimeout = 15 * time.Second
	balanceSpread  = 10
)

// balanceLog stores the balances that providers told.
type balanceLog interface {
	LastBalance(ctx context.Context, provider string) (events.BalanceReport, uint64, error)
	AppendBalance(ctx context.Context, r events.BalanceReport, after uint64) error
}

// balances asks providers for the merchant's balance and publishes it for ledgers.
type balances struct {
	log      balanceLog
	interval func(provider string) time.Duration // 0 is never
	now      func() time.Time
	logger   *slog.Logger
}

func newBalances(rt Runtime, log balanceLog) balances {
	return balances{log: log, now: rt.Now, logger: rt.Logger, interval: func(provider string) time.Duration {
		return rt.Config.Providers[provider].BalanceInterval
	}}
}

// run asks each provider that has an interval until ctx ends. The stream has the time of the last balance, so that any number of
// workers ask once in an interval, and a restart asks no sooner. While a provider fails, each worker retries by itself.
func (b balances) run(ctx context.Context, registry *connectors.Registry) {
	var group errgroup.Group
	for _, name := range registry.Names() {
		connector, _ := registry.Get(name)
		if balancer, is := connector.(connectors.Balancer); is && b.interval(name) > 0 {
			group.Go(func() error {
				a := asker{balances: b, provider: name, balancer: balancer}
				for pause := time.Duration(0); ; pause = a.step(ctx) {
					select {
					case <-ctx.Done():
						return nil
					case <-time.After(pause):
					}
				}
			})
		}
	}
	_ = group.Wait()
}

// asker asks one provider.
type asker struct {
	balances
	provider string
	balancer connectors.Balancer

	failures int       // since the last balance
	seen     uint64    // sequence of the last balance in the stream
	since    time.Time // when it was reported; the interval begins then
}

// step publishes the provider's balance if it is due, and returns how long to wait for the next step.
func (a *asker) step(ctx context.Context) time.Duration {
	interval := a.interval(a.provider)
	last, seq, err := a.log.LastBalance(ctx, a.provider)
	if err != nil {
		a.failed(ctx, "cannot read the last balance; will retry", err)
		return min(interval, balanceAgain)
	}
	a.see(ctx, last, seq)
	if left := a.since.Add(interval).Sub(a.now()); left > 0 {
		a.failures = 0
		return spread(left, interval)
	}
	report, err := a.ask(ctx)
	if err != nil {
		a.failed(ctx, "cannot read the provider's balance; will retry", err)
		return a.pause(interval)
	}
	switch err := a.log.AppendBalance(ctx, report, seq); {
	case errors.Is(err, events.ErrStale): // another worker was first
	case err != nil:
		a.failed(ctx, "cannot publish the provider's balance; will retry", err)
		return a.pause(interval)
	}
	a.failures = 0
	return spread(interval, interval)
}

// see notes when the last balance was reported: now at the latest, however far ahead the clock of the worker was that reported it.
func (a *asker) see(ctx context.Context, last events.BalanceReport, seq uint64) {
	if seq == a.seen {
		return
	}
	now := a.now()
	if a.seen, a.since = seq, last.ReportedAt; a.since.After(now) {
		a.since = now
	}
	if ahead := last.ReportedAt.Sub(now); ahead > balanceAhead {
		a.logger.WarnContext(ctx, "the last balance was reported in the future: check the clocks of the workers", "provider", a.provider, "reported_at", last.ReportedAt, "ahead", ahead)
	}
}

// pause is how long to wait after one more failure: longer each time, up to the interval.
func (a *asker) pause(interval time.Duration) time.Duration {
	pause := interval
	if a.failures < 16 { // a longer interval than that is not configured
		pause = min(interval, balanceAgain<<a.failures)
	}
	a.failures++
	return spread(pause, pause)
}

// spread adds a random part of a tenth of an interval to d.
func spread(d, of time.Duration) time.Duration { return d + rand.N(of/balanceSpread+1) }

func (a *asker) ask(ctx context.Context) (events.BalanceReport, error) {
	ctx, cancel := context.WithTimeout(ctx, balanceTimeout)
	defer cancel()
	ctx, call := tracing.StartCall(ctx, "balance", payment.Ref{Provider: a.provider}, 0)
	list, err := a.balancer.Balance(ctx)
	call.End(err)
	r := events.BalanceReport{Provider: a.provider, ReportedAt: a.now().UTC()}
	for _, one := range list {
		r.Balances = append(r.Balances, events.ReportedBalance{Available: one.Available, Frozen: one.Frozen})
	}
	return r, err
}

func (a *asker) failed(ctx context.Context, message string, err error) {
	if ctx.Err() == nil {
		a.logger.WarnContext(ctx, message, "provider", a.provider, "error", err)
	}
}
