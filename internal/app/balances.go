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
	// balanceAgain is the longest pause after a provider or the broker did not answer.
	balanceAgain = time.Minute
	// balanceTimeout bounds one request, and balanceSpread is by what part of the interval workers differ, so that one of them asks.
	balanceTimeout = 15 * time.Second
	balanceSpread  = 10
)

// balanceLog keeps what providers told.
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

// run asks each provider that has an interval until ctx ends. When it was asked last stands in the stream, so that any number of workers
// ask once in an interval, and a restart asks no sooner.
func (b balances) run(ctx context.Context, registry *connectors.Registry) {
	var group errgroup.Group
	for _, name := range registry.Names() {
		connector, _ := registry.Get(name)
		if able, is := connector.(connectors.Balancer); is && b.interval(name) > 0 {
			group.Go(func() error {
				for pause := time.Duration(0); ; pause = b.step(ctx, name, able) {
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

// step publishes a provider's balance if it is due, and returns how long to wait then.
func (b balances) step(ctx context.Context, provider string, able connectors.Balancer) time.Duration {
	interval := b.interval(provider)
	last, seq, err := b.log.LastBalance(ctx, provider)
	if err != nil {
		b.failed(ctx, "cannot read the last balance; will retry", provider, err)
		return min(interval, balanceAgain)
	}
	spread := rand.N(interval/balanceSpread + 1)
	if left := last.ReportedAt.Add(interval).Sub(b.now()); left > 0 {
		return min(left, interval) + spread // no longer than that, however far ahead another worker's clock was
	}
	report, err := b.ask(ctx, provider, able)
	if err != nil {
		b.failed(ctx, "cannot read the provider's balance; will retry", provider, err)
		return min(interval, balanceAgain)
	}
	switch err := b.log.AppendBalance(ctx, report, seq); {
	case errors.Is(err, events.ErrStale): // another worker was first
	case err != nil:
		b.failed(ctx, "cannot publish the provider's balance; will retry", provider, err)
		return min(interval, balanceAgain)
	}
	return interval + spread
}

func (b balances) ask(ctx context.Context, provider string, able connectors.Balancer) (events.BalanceReport, error) {
	ctx, cancel := context.WithTimeout(ctx, balanceTimeout)
	defer cancel()
	ctx, call := tracing.StartCall(ctx, "balance", payment.Ref{Provider: provider}, 0)
	list, err := able.Balance(ctx)
	call.End(err)
	r := events.BalanceReport{Provider: provider, ReportedAt: b.now().UTC()}
	for _, one := range list {
		r.Balances = append(r.Balances, events.ReportedBalance{Available: one.Available, Frozen: one.Frozen})
	}
	return r, err
}

func (b balances) failed(ctx context.Context, message, provider string, err error) {
	if ctx.Err() == nil {
		b.logger.WarnContext(ctx, message, "provider", provider, "error", err)
	}
}
