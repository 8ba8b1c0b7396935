package app

import (
	"context"
	"log/slog"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
	"payonce/pkg/tracing"
)

const (
	// banksEvery is how often the providers are asked for their banks. A connector answers from memory
	// while its list is fresh.
	banksEvery = 10 * time.Minute
	// banksAgain is the pause after a provider did not answer.
	banksAgain = 30 * time.Second
	// banksTimeout bounds one request.
	banksTimeout = 15 * time.Second
)

// keepBanks asks the providers that can list their banks for them until ctx ends, so that a command for a
// bank that is not served is refused before it is sent. Without a list the provider itself refuses it.
func keepBanks(ctx context.Context, registry *connectors.Registry, logger *slog.Logger) {
	for pause := time.Duration(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if pause = banksEvery; !listBanks(ctx, registry, logger) {
			pause = banksAgain
		}
	}
}

// listBanks asks every provider once for each operation, and reports whether all answered.
func listBanks(ctx context.Context, registry *connectors.Registry, logger *slog.Logger) bool {
	all := true
	for _, name := range registry.Names() {
		connector, _ := registry.Get(name)
		lister, able := connector.(connectors.BankLister)
		if !able {
			continue
		}
		for _, op := range connector.Traits().Operations {
			call, cancel := context.WithTimeout(ctx, banksTimeout)
			call, span := tracing.StartCall(call, "banks", payment.Ref{Provider: name}, 0)
			banks, err := lister.Banks(call, op)
			span.End(err)
			cancel()
			if ctx.Err() != nil {
				return false
			}
			if err != nil {
				all = false
				failed := connectors.Classify(err)
				logger.WarnContext(call, "cannot read the provider's list of banks", "provider", name, "operation", string(op),
					"class", failed.Class.String(), "code", failed.Code, "provider_code", failed.ProviderCode)
				continue
			}
			logger.DebugContext(call, "provider's list of banks read", "provider", name, "operation", string(op), "count", len(banks))
		}
	}
	return all
}
