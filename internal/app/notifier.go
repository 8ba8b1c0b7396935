package app

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/config"
	"payonce/pkg/endpoints"
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
	rt.health.becomes(conn.Ready)
	rt.measureFirst(ctx, conn)
	beats, err := backgroundHeartbeats(rt, conn)
	if err != nil {
		return err
	}
	beats.endpoints = func() map[string]status.EndpointHealth { return endpointHealth(notifier.Health()) }
	for _, e := range rt.Config.SendTo() {
		beats.slots += e.Concurrency
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return rt.keepClock(ctx, conn) })
	group.Go(func() error { return beats.run(ctx) })
	group.Go(func() error { return notifier.Run(ctx, conn) })
	ready("sending")
	return group.Wait()
}

// endpointHealth converts the health of endpoints to that of a heartbeat.
func endpointHealth(of map[string]endpoints.Health) map[string]status.EndpointHealth {
	breakers := map[string]string{"closed": status.BreakerClosed, "half-open": status.BreakerHalfOpen, "open": status.BreakerOpen}
	all := map[string]status.EndpointHealth{}
	for name, h := range of {
		e := status.EndpointHealth{Breaker: breakers[h.State], TriesAt: h.TriesAt, DeliveredAt: h.DeliveredAt}
		if b := h.Backlog; b != nil {
			e.New, e.Due, e.Disabled = &b.New, &b.Due, b.Disabled
		}
		for _, f := range h.Failures {
			e.Failures = append(e.Failures, status.EndpointFailure{
				Failure: status.FailureOf(f.At, errors.New(f.Problem)), Provider: f.Provider, Order: f.Order, Status: f.Status,
			})
		}
		all[name] = e
	}
	return all
}
