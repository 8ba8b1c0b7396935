package payctl

import (
	"context"
	"errors"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/metric/noop"

	"payonce/pkg/events/jetstream/statistics"

	"github.com/spf13/cobra"

	"payonce/internal/app"
	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/operator"
	"payonce/pkg/payment"
	"payonce/pkg/status"
)

// errNotWell is why status --check ends with 1.
var errNotWell = errors.New("something needs a person, or is not known")

func statusCommand(env Env) *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Show how every provider, process and endpoint stands, and what needs a person",
		Long: `Show how every provider, process and endpoint stands, and what needs a person, oldest first, with what to do.

Numbers of payments come from a process that counts them (an ingress, or a worker where nats.accounts is true), and are a few
seconds old. What cannot be found out is shown as unknown. It exits with 0 whatever it finds; with --check with 1 if something
needs a person, is wrong or unknown.`,
		Example: `  payctl status
  payctl status --json
  payctl status --check`, Args: arguments(),
	}
	configPath, asJSON := addConfig(c), addJSON(c)
	check := c.Flags().Bool("check", false, "exit with 1 if something needs a person, is wrong or unknown")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load(*configPath)
		if err != nil {
			return err
		}
		report := env.status(c.Context(), cfg)
		if *asJSON {
			err = writeJSON(c.OutOrStdout(), report)
		} else {
			err = report.Text(c.OutOrStdout())
		}
		if err == nil && *check && !report.Healthy() {
			return errNotWell
		}
		return err
	}
	return c
}

// status asks everything that can be asked.
func (e Env) status(ctx context.Context, cfg config.Config) status.Report {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	var from status.Sources
	conn, err := e.dial(ctx, cfg)
	if err != nil {
		away := natsAway{err}
		from = status.Sources{Heartbeats: away, Levels: away, Log: away, Doubtful: away}
	} else {
		defer func() { _ = conn.Close() }()
		levels, err := statistics.New(conn.Conn, noop.NewMeterProvider())
		if err != nil {
			return status.Report{At: e.Now(), Unknown: []status.Unknown{{What: "queue", Problem: err.Error()}}}
		}
		from = status.Sources{Heartbeats: levels, Levels: levels, Log: conn, Doubtful: levels}
		if len(cfg.Approvals.Above) > 0 {
			from.Requests = operator.NewWaiting(e.deciding(cfg, conn).Approvals)
		}
	}
	from.CountedBy, from.Endpoints = app.CountedBy(cfg), app.StatusEndpoints(cfg)
	providers, err := e.statusProviders(cfg)
	report := status.Assemble(ctx, from, providers, e.Now())
	if err != nil {
		report.Unknown = append(report.Unknown, status.Unknown{What: "hours", Problem: err.Error()})
	}
	return report
}

// statusProviders returns the providers with their hours; without them where connectors cannot be made, for which secrets are
// needed that an operator may not have.
func (e Env) statusProviders(cfg config.Config) ([]status.ProviderConfig, error) {
	registry, err := cfg.Connectors(e.Kinds, e.Now)
	if err == nil {
		return app.StatusProviders(cfg, registry), nil
	}
	var all []status.ProviderConfig
	for _, name := range slices.Sorted(maps.Keys(cfg.Providers)) {
		all = append(all, status.ProviderConfig{Name: name})
	}
	return all, err
}

// natsAway replaces everything that NATS would be asked.
type natsAway struct{ err error }

func (n natsAway) Heartbeats(context.Context) (map[string][]byte, error) { return nil, n.err }

func (n natsAway) Levels(context.Context, []string) (map[string]events.Level, error) {
	return nil, n.err
}

func (n natsAway) Last(context.Context, payment.Ref) (payment.Payment, uint64, error) {
	return payment.Payment{}, 0, n.err
}

func (n natsAway) EverDoubtful(context.Context, int) ([]payment.Ref, bool, error) {
	return nil, false, n.err
}
