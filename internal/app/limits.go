package app

import (
	"errors"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/config"
	calls "payonce/pkg/limits"
	budget "payonce/pkg/limits/redis"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// newLimits makes the rate limits and breakers of calls to providers. The budget of calls is shared through Redis.
func newLimits(rt Runtime, client goredis.UniversalClient) (*calls.Limits, error) {
	return calls.New(calls.Options{
		Policies: Policies(rt.Config), Shared: budget.New(client), Now: rt.Now, Logger: rt.Logger,
	})
}

// OpenLimits makes the rate limits and breakers of calls to providers for a program that calls them beside the workers, out of
// the same budget. end closes its connection to Redis, which is made when it is needed.
func OpenLimits(cfg config.Config, logger *slog.Logger, now func() time.Time) (spare *calls.Limits, end func() error, err error) {
	rt := Runtime{Config: cfg, Logger: logger, Now: now}
	_, client, err := dialRedis(rt)
	if err != nil {
		return nil, nil, err
	}
	if spare, err = newLimits(rt, client); err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return spare, client.Close, nil
}

// Policies returns what each provider is spared, from a configuration whose connectors were made.
func Policies(cfg config.Config) map[string]calls.Policy {
	policies := map[string]calls.Policy{}
	for name, provider := range cfg.Providers {
		b := provider.Breaker
		policy := calls.Policy{Rate: calls.Rate(provider.Rate), AccountPause: b.OpenFor}
		if !b.Off {
			policy.Breaker = calls.Breaker{Failures: b.Failures, OpenFor: b.OpenFor, Probes: b.Probes}
		}
		policies[name] = policy
	}
	return policies
}

// Quotas returns what each upstream that publishes by NATS may have worked.
func Quotas(cfg config.Config) map[string]calls.Quota {
	quotas := map[string]calls.Quota{}
	for _, name := range cfg.NATS.Upstreams {
		quotas[name] = calls.Quota(cfg.NATS.QuotaOf(name))
	}
	return quotas
}

// GiveUpPolicy returns how long payments wait for their provider.
func GiveUpPolicy(cfg config.Config) func(provider string, op payment.Operation) worker.GiveUpPolicy {
	return func(provider string, op payment.Operation) worker.GiveUpPolicy {
		p := cfg.Providers[provider]
		return worker.GiveUpPolicy{Down: worker.DownPolicy(p.WhenDown.For(op)), GiveUpAfter: p.GiveUpAfter.For(op), MaxSubmits: p.MaxSubmits}
	}
}
