package app

import (
	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/config"
	calls "payonce/pkg/limits"
	budget "payonce/pkg/limits/redis"
	"payonce/pkg/payment"
	"payonce/pkg/worker"
)

// newLimits makes what keeps providers from being overrun. The budget of calls is shared through Redis.
func newLimits(rt Runtime, client goredis.UniversalClient) (*calls.Limits, error) {
	return calls.New(calls.Options{
		Policies: Policies(rt.Config), Shared: budget.New(client), Now: rt.Now, Logger: rt.Logger,
	})
}

// Policies returns what each provider is spared.
func Policies(cfg config.Config) map[string]calls.Policy {
	policies := map[string]calls.Policy{}
	for name, provider := range cfg.Providers {
		policy := calls.Policy{Rate: calls.Rate(provider.Rate.InEffect())}
		if b := provider.Breaker.InEffect(); !b.Off {
			policy.Breaker = calls.Breaker{Failures: b.Failures, OpenFor: b.OpenFor, Probes: b.Probes}
		}
		policies[name] = policy
	}
	return policies
}

// Patience returns how long payments wait for their provider.
func Patience(cfg config.Config) func(provider string, op payment.Operation) worker.Patience {
	return func(provider string, op payment.Operation) worker.Patience {
		p := cfg.Providers[provider]
		return worker.Patience{Down: worker.DownPolicy(p.WhenDown.For(op)), GiveUpAfter: p.GiveUpAfter.For(op)}
	}
}
