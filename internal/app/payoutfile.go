package app

import (
	"context"
	"fmt"

	"payonce/internal/csvfile"
	"payonce/internal/payouts"
	"payonce/pkg/connectors"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
)

// payoutFiles checks files of payouts as payctl payouts import does.
func payoutFiles(rt Runtime, to payouts.Queue) func(ctx context.Context, provider, name string, text []byte) (operator.PayoutFile, []csvfile.Problem, string, error) {
	return func(ctx context.Context, provider, name string, text []byte) (none operator.PayoutFile, problems []csvfile.Problem, note string, err error) {
		connector, known := rt.Connectors.Get(provider)
		if !known {
			return none, nil, "", fmt.Errorf("provider %q is not configured", provider)
		}
		target, err := payouts.TargetOf(provider, rt.Config.Providers[provider], connector, rt.Now())
		if err != nil {
			return none, nil, "", err
		}
		if lister, able := connector.(connectors.BankLister); able {
			asking, cancel := context.WithTimeout(ctx, consoleRead)
			_, err := lister.Banks(asking, payment.Payout) // the connector compares the file with them
			cancel()
			if err != nil {
				note = "bank ids were not compared: the provider's list cannot be read: " + connectors.Classify(err).Code
			}
		}
		f := payouts.Parse(name, text, target)
		if len(f.Problems) > 0 {
			return none, f.Problems, "", nil
		}
		return operator.PayoutFile{Provider: provider, File: f.Audited(), Total: f.Total, Send: func(ctx context.Context) (map[string]int, error) {
			results, err := payouts.Send(ctx, to, f.Payouts, func() {}, consoleRead)
			return payouts.Count(f.Payouts, results).Audited(), err
		}}, nil, note, nil
	}
}
