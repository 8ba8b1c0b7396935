package app

import (
	"context"

	"golang.org/x/sync/errgroup"

	"payonce/pkg/config"
	"payonce/pkg/endpoints"
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
	beats, err := besides(rt, conn)
	if err != nil {
		return err
	}
	beats.endpoints = notifier.Health
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
