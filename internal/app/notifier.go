package app

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/config"
	"payonce/pkg/endpoints"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/status"
)

// Notifier is the service that sends events of payments to HTTP endpoints. Payments don't wait for it.
func Notifier() Service {
	return Service{
		Name:    "notifier",
		Summary: "sends signed webhooks about payments to the endpoints of upstreams",
		Role:    config.RoleNotifier,
		Run:     observed(runNotifier, func(cfg config.Config) string { return cfg.Notifier.AdminListen }),
	}
}

func runNotifier(ctx context.Context, rt Runtime, ready func(string)) error {
	try := tryNATS
	if rt.Config.NATS.Accounts { // its user may make neither streams nor consumers
		try = tryLog
	}
	conn, err := connectWith(ctx, rt, try)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	c := rt.Config.Notifier
	notifier, err := endpoints.New(endpoints.Options{
		Endpoints: rt.Config.SendTo(), Timeout: c.Timeout, RetryMin: c.RetryMin, RetryMax: c.RetryMax, GiveUpAfter: c.GiveUpAfter,
		Breaker: endpoints.Breaker{Failures: c.BreakerFailures, OpenFor: c.BreakerOpenFor}, Now: rt.Now, Logger: rt.Logger,
	})
	if err != nil {
		return err
	}
	levels, err := statistics.New(conn, nil)
	if err != nil {
		return err
	}
	rt.health.becomes(conn.Ready)
	rt.measureFirst(ctx, conn)
	beats := newHeartbeats(rt, conn, levels, nil, nil)
	beats.endpoints = func() map[string]status.EndpointHealth { return endpointHealth(notifier.Health()) }
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return rt.keepClock(ctx, conn) })
	group.Go(func() error { return beats.run(ctx) })
	group.Go(func() error { return notifier.Run(ctx, conn) })
	ready("sending")
	return group.Wait()
}

// endpointHealth is how endpoints are, as a heartbeat says it.
func endpointHealth(of map[string]endpoints.Health) map[string]status.EndpointHealth {
	breakers := map[string]string{"closed": status.BreakerClosed, "half-open": status.BreakerHalfOpen, "open": status.BreakerOpen}
	all := map[string]status.EndpointHealth{}
	for name, h := range of {
		e := status.EndpointHealth{Breaker: breakers[h.State], TriesAt: h.TriesAt, DeliveredAt: h.DeliveredAt}
		for _, f := range h.Failures {
			e.Failures = append(e.Failures, status.EndpointFailure{
				Failure: status.FailureOf(f.At, errors.New(f.Problem)), Provider: f.Provider, Order: f.Order, Status: f.Status,
			})
		}
		all[name] = e
	}
	return all
}
