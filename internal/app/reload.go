package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/config"
	"payonce/pkg/connectors"
)

// The counter of configurations that were read again, by AttributeOutcome.
const (
	CounterReloads   = "payonce.configuration.reloads"
	AttributeOutcome = "outcome"
	ReloadTaken      = "taken"
	ReloadRefused    = "refused" // the one before stays in effect

	// MetricStale is 1 while the files hold a configuration that was refused, else 0.
	MetricStale = "payonce.configuration.stale"
)

// reload looks for changes of the configuration's files until ctx ends, and takes the connectors and what
// take makes of a new one. Files are compared by content at intervals, and not watched by the operating
// system, because secrets are replaced in ways that its notices miss: links that are moved, network file
// systems. take either takes all or returns an error; it is nil for a service that has nothing to take.
func reload(ctx context.Context, rt Runtime, take func(config.Config) error) error {
	reloads, err := otel.Meter("payonce/app").Int64Counter(CounterReloads,
		metric.WithDescription("Configurations reloaded because a file changed"))
	if err != nil {
		return fmt.Errorf("make the counter of reloads: %w", err)
	}
	stale, err := otel.Meter("payonce/app").Int64Gauge(MetricStale,
		metric.WithDescription("1 while the changed configuration is refused and not in effect"))
	if err != nil {
		return fmt.Errorf("make the gauge of the configuration: %w", err)
	}
	stale.Record(ctx, 0)
	if rt.Config.ReloadEvery == 0 {
		return nil
	}
	ticker := time.NewTicker(rt.Config.ReloadEvery)
	defer ticker.Stop()
	for last := rt.files.Read(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		now := rt.files.Now()
		settled := now == last // else it may be half written
		last = now
		if !settled || now == rt.files.Read() {
			continue
		}
		outcome, refused := ReloadTaken, int64(0)
		if err := rt.replace(take); err != nil {
			outcome, refused = ReloadRefused, 1
			rt.Logger.Error("the changed configuration is refused; the previous one stays in effect", "error", err)
		}
		stale.Record(ctx, refused)
		reloads.Add(ctx, 1, metric.WithAttributes(attribute.String(AttributeOutcome, outcome)))
	}
}

// replace reads the configuration again and takes from it what can be taken while the service runs. After
// an error nothing is taken, and the same files are not read again.
func (rt *Runtime) replace(take func(config.Config) error) error {
	cfg, registry, files, err := read(rt.path, rt.role, rt.Now)
	rt.files = files
	if err != nil {
		return err
	}
	for _, warning := range cfg.Warnings() {
		rt.Logger.Warn("configuration", "warning", warning)
	}
	if err := rt.settles(registry); err != nil {
		return err
	}
	waits := rt.Config.RequiresRestart(&cfg)
	if err := rt.Connectors.Replace(registry); err != nil {
		return fmt.Errorf("providers: %w: restart the service", err)
	}
	if take != nil { // it was validated with the same providers, so this takes all
		if err := take(cfg); err != nil {
			return err
		}
	}
	rt.Logger.Info("configuration reloaded: keys, secrets, certificates and settings of providers")
	if len(waits) > 0 {
		rt.Logger.Warn("some configuration changes require a restart", "keys", waits)
	}
	return nil
}

// settles returns an error if a worker cannot take connectors because a settling delay is too short for the lease that
// is in effect. The files were checked with their own lease, and that waits for a restart.
func (rt *Runtime) settles(registry *connectors.Registry) error {
	if rt.role != config.RoleWorker {
		return nil
	}
	var problems []error
	for _, name := range registry.Names() {
		connector, _ := registry.Get(name)
		if err := Timing(rt.Config).CheckSettling(connector.Traits().SettlingDelay); err != nil {
			problems = append(problems, fmt.Errorf("provider %s: %w of the running worker: restart the service", name, err))
		}
	}
	return errors.Join(problems...)
}
