package app

import (
	"context"
	"time"

	"payonce/pkg/events/jetstream/statistics"

	"payonce/pkg/calendar"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/payment"
	"payonce/pkg/status"
)

// StatusProviders returns what a report needs of the configuration, whose connectors were made.
func StatusProviders(cfg config.Config, registry *connectors.Registry) []status.ProviderConfig {
	var all []status.ProviderConfig
	for _, name := range registry.Names() {
		connector, _ := registry.Get(name)
		p := status.ProviderConfig{
			Name: name, Operations: connector.Traits().Operations,
			Hours: func(op payment.Operation) calendar.Hours { return cfg.Providers[name].Hours.Calendar(op) },
		}
		if r := cfg.Providers[name].Rate; r.Calls > 0 {
			p.Rate = &status.Rate{Calls: r.Calls, PerSeconds: r.Per.Seconds(), Burst: r.Burst}
		}
		all = append(all, p)
	}
	return all
}

// StatusEndpoints returns what a report needs of the endpoints of the configuration.
func StatusEndpoints(cfg config.Config) []status.EndpointConfig {
	var all []status.EndpointConfig
	for _, e := range cfg.SendTo() {
		all = append(all, status.EndpointConfig{Name: e.Name, Upstream: e.Upstream})
	}
	return all
}

// reporter makes reports in an ingress or a console. It asks no more than an ingress with an account of its own may: the queue is
// known from heartbeats.
type reporter struct {
	conn      *jetstream.Conn
	levels    *statistics.Reporter
	providers []status.ProviderConfig
	endpoints []status.EndpointConfig
	now       func() time.Time
	countedBy string
	requests  status.Requests // nil in an ingress, which may not read AUDIT
}

func newReporter(rt Runtime, conn *jetstream.Conn, levels *statistics.Reporter) reporter {
	return reporter{
		conn: conn, levels: levels, providers: StatusProviders(rt.Config, rt.Connectors), endpoints: StatusEndpoints(rt.Config),
		now: rt.Now, countedBy: CountedBy(rt.Config),
	}
}

// Report implements the ingress's Status.
func (r reporter) Report(ctx context.Context) status.Report {
	return status.Assemble(ctx, status.Sources{Heartbeats: r.levels, Log: r.conn, Requests: r.requests, CountedBy: r.countedBy, Endpoints: r.endpoints}, r.providers, r.now())
}
