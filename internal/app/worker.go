package app

import (
	"context"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"payonce/pkg/calendar"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/admin"
	"payonce/pkg/events/jetstream/janitor"
	"payonce/pkg/events/jetstream/statistics"
	calls "payonce/pkg/limits"
	budget "payonce/pkg/limits/redis"
	"payonce/pkg/payment"
	"payonce/pkg/reconcile"
	"payonce/pkg/worker"
)

// OnStep is called between the steps of a command. It is nil but in programs that are built to be
// killed at a step by a fault test.
var OnStep func(worker.Step, payment.Ref)

// Worker is the service that executes payments.
func Worker() Service {
	return Service{
		Name:    "worker",
		Summary: "executes payments from the queue; run as many as needed",
		Role:    config.RoleWorker,
		Run:     observed(runWorker, func(cfg config.Config) string { return cfg.Worker.AdminListen }),
	}
}

func runWorker(ctx context.Context, rt Runtime, ready func(string)) error {
	tuneGC(workerLimit(rt.Config))
	claims, client, err := connectRedis(ctx, rt)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	conn, err := connectNATS(ctx, rt)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	rt.health.becomes(conn.Ready)
	levels, err := statistics.New(conn, nil)
	if err != nil {
		return err
	}
	if err := conn.GuardLog(ctx, claims); err != nil {
		return err
	}
	rt.measureFirst(ctx, conn)
	if err := checkAccounts(ctx, rt, admin.New(conn)); err != nil {
		return err
	}
	spare, err := newLimits(rt, client)
	if err != nil {
		return err
	}
	failed := &failures{now: rt.Now, redis: make(chan struct{}, 1)}
	client.AddHook(redisFailures{failed})
	quotas, err := calls.NewQuotas(Quotas(rt.Config), budget.New(client), rt.Now, rt.Logger)
	if err != nil {
		return err
	}
	conn.PaceIntake(quotas.Wait)
	engine, err := worker.New(worker.Options{
		Log: jetstream.AsStored{Conn: conn}, Claims: claims, Connectors: rt.Connectors, Timing: Timing(rt.Config), ClaimsRequired: rt.Config.Redis.Required,
		FenceKeptConnections: rt.Config.Worker.FenceKeptConnections,
		Opening:              Opening(rt.Config), GiveUpPolicy: GiveUpPolicy(rt.Config), Threshold: Threshold(rt.Config), Limits: spare, OrderPrefixes: rt.Config.OrderPrefixes, Now: rt.Now, Local: rt.local, Measure: func(ctx context.Context) error { return rt.measure(ctx, conn) }, NewID: func() string { return rt.Name + "/" + uuid.NewString() }, Logger: rt.Logger, OnStep: OnStep,
	})
	if err != nil {
		return err
	}
	if err := reportClosedDays(rt); err != nil {
		return err
	}
	cleaner := janitor.New(conn)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return engine.Run(ctx, conn, rt.Config.ProviderSlots) })
	group.Go(func() error { return reconcile.Run(ctx, conn, engine, Open(rt), rt.Now) })
	group.Go(func() error { return sweep(ctx, rt, cleaner) })
	group.Go(func() error { return reload(ctx, rt, nil) })
	group.Go(func() error { return watchAccounts(ctx, rt, admin.New(conn)) })
	group.Go(func() error { return cleaner.WatchAdvisories(ctx) })
	group.Go(func() error { return conn.WatchWrites(ctx) })
	group.Go(func() error { return rt.keepClock(ctx, conn) })
	group.Go(func() error { return newHeartbeats(rt, conn, levels, spare, failed).run(ctx) })
	if rt.Config.NATS.Accounts {
		group.Go(func() error { return conn.AnswerQueued(ctx) })
		if rt.measured { // an ingress may not read the queue
			group.Go(func() error { return levels.ReportLevels(ctx, rt.Connectors.Names()) })
		}
	}
	group.Go(func() error { newRedisWatch(rt, client, failed).run(ctx); return nil })
	group.Go(func() error { logClocks(ctx, rt); return nil })
	group.Go(func() error { keepBanks(ctx, rt.Connectors, rt.Logger); return nil })
	group.Go(func() error { newBalances(rt, conn).run(ctx, rt.Connectors); return nil })
	ready("working")
	return group.Wait()
}

// Timing returns the engine's durations from the configuration.
func Timing(cfg config.Config) worker.Timing {
	w := cfg.Worker
	return worker.Timing{
		SubmitTimeout: w.SubmitTimeout, RetryFor: w.RetryFor, RetryInitial: w.RetryInitial, Lease: w.Lease, ClockBound: w.ClockBound,
		LookupMin: w.LookupMin, LookupMax: w.LookupMax, ParkMin: w.ParkMin, ParkMax: w.ParkMax, ResumeSpread: w.ResumeSpread,
		UnknownOrderFor: w.UnknownOrderFor, Retention: cfg.NATS.PaymentsRetention, ClaimRetention: cfg.Redis.ClaimRetention,
	}
}

// Opening returns when each provider is open, from a configuration whose connectors were made.
func Opening(cfg config.Config) func(provider string, op payment.Operation) worker.Opening {
	return func(provider string, op payment.Operation) worker.Opening {
		of := cfg.Providers[provider]
		return worker.Opening{
			Hours: of.Hours.Calendar(op), Closed: worker.ClosedPolicy(of.Hours.WhenClosed.For(op)),
			WallThreshold: of.ThresholdClock == config.WallClock,
		}
	}
}

// Threshold returns when a person is told of a payment of each provider that is still open.
func Threshold(cfg config.Config) func(provider string) time.Duration {
	return func(provider string) time.Duration { return cfg.Providers[provider].Threshold }
}

// lookupSlots is how many payments of one step of a provider's lookup schedule a worker looks up at the same time:
// no client waits for them, and they must not crowd out the work that a client waits for. But each can hang for a whole
// submit_timeout: 300 that hang take 5 minutes with the default, half of the first step.
const lookupSlots = 16

// Open returns how the open payments of each provider are looked up.
func Open(rt Runtime) []reconcile.Provider {
	opening := Opening(rt.Config)
	var providers []reconcile.Provider
	for _, name := range rt.Connectors.Names() {
		of := rt.Config.Providers[name]
		connector, _ := rt.Connectors.Get(name)
		providers = append(providers, reconcile.Provider{
			Name: name, Slots: lookupSlots,
			LookupSchedule: reconcile.LookupSchedule{BasicTime: of.BasicTime, Threshold: of.Threshold, WallThreshold: of.ThresholdClock == config.WallClock},
			Pages:          reconcile.Pages{Grace: connector.Traits().PageGrace, Lives: reconcile.PageLives(), Kept: rt.Config.NATS.PaymentsRetention},
			Hours:          func(op payment.Operation) calendar.Hours { return opening(name, op).Hours },
		})
	}
	return providers
}

// sweepEvery is how often a worker looks for commands of providers that no worker serves, at most.
const sweepEvery = 30 * time.Second

// sweep gives commands up that no worker of any configuration will ever take, and puts those back that the
// broker delivers to none.
func sweep(ctx context.Context, rt Runtime, cleaner *janitor.Janitor) error {
	ticker := time.NewTicker(min(sweepEvery, rt.Config.Worker.UnknownProviderFor))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if rt.clock.Check() != nil {
			continue // how old a command is, another worker sees better
		}
		_, err := cleaner.SweepOrphans(ctx)
		if err != nil && ctx.Err() == nil {
			rt.Logger.Warn("cannot sweep orphaned commands", "error", err)
		}
		if _, err := cleaner.RescueUndelivered(ctx); err != nil && ctx.Err() == nil {
			rt.Logger.Warn("cannot requeue undelivered commands", "error", err)
		}
	}
}
