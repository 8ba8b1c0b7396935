package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"payonce/pkg/events/jetstream/statistics"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/metric/noop"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	calls "payonce/pkg/limits"
	"payonce/pkg/status"
)

const (
	// heartbeatEvery is how often a process says how it is. The broker forgets it after 45 s.
	heartbeatEvery = 10 * time.Second
	// levelsTimeout bounds what a heartbeat asks of the broker: the next one comes soon.
	levelsTimeout = 5 * time.Second
)

// heartbeats says how a process is, until it stops. Nothing waits for it, and what fails is only logged: no payment depends
// on it.
type heartbeats struct {
	rt        Runtime
	conn      *jetstream.Conn
	levels    *statistics.Reporter
	calls     *calls.Limits // nil for a service that calls no provider
	slots     int
	failures  *failures
	open      *status.Open                            // nil for a process that does not read the whole system
	endpoints func() map[string]status.EndpointHealth // nil except for a notifier
	startedAt time.Time
	id        string
	silent    bool // the last one was not sent
}

// newHeartbeats returns heartbeats of a process. spare and failed are nil for a service without them.
func newHeartbeats(rt Runtime, conn *jetstream.Conn, levels *statistics.Reporter, spare *calls.Limits, failed *failures) *heartbeats {
	h := &heartbeats{rt: rt, conn: conn, levels: levels, calls: spare, failures: failed, startedAt: rt.Now().UTC(), id: uuid.NewString()}
	if failed == nil {
		h.failures = &failures{now: rt.Now}
	}
	if rt.Service == status.ServiceWorker {
		for _, provider := range rt.Connectors.Names() {
			h.slots += rt.Config.ProviderSlots(provider)
		}
	}
	if readsSystem(rt) {
		h.open = status.NewOpen(rt.Now)
	}
	return h
}

// backgroundHeartbeats returns the heartbeats of a service that payments do not wait for. It exports no metrics of NATS.
func backgroundHeartbeats(rt Runtime, conn *jetstream.Conn) (*heartbeats, error) {
	levels, err := statistics.New(conn, noop.NewMeterProvider())
	if err != nil {
		return nil, err
	}
	return newHeartbeats(rt, conn, levels, nil, nil), nil
}

// readsSystem reports whether a process may read the whole system, the log and the queue: an ingress, or a worker where
// ingresses have an account of their own.
func readsSystem(rt Runtime) bool { return rt.Service == CountedBy(rt.Config) }

// CountedBy is the service whose processes count what is open.
func CountedBy(cfg config.Config) string {
	if cfg.NATS.Accounts {
		return status.ServiceWorker
	}
	return status.ServiceIngress
}

// run sends heartbeats until ctx ends, and then takes the last one away. Its error is always nil.
func (h *heartbeats) run(ctx context.Context) error {
	var reading sync.WaitGroup
	defer reading.Wait()
	if h.open != nil {
		reading.Go(func() { h.follow(ctx) })
		reading.Go(func() { h.describe(ctx) })
	}
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		h.send(ctx)
		select {
		case <-ctx.Done():
			if err := h.levels.DeleteHeartbeat(context.WithoutCancel(ctx), h.key()); err != nil {
				h.rt.Logger.Debug("the heartbeat is not taken away; it vanishes by itself", "error", err)
			}
			return nil
		case <-ticker.C:
		}
	}
}

// follow counts the open payments, and reports them as metrics where metrics are exported or scraped.
func (h *heartbeats) follow(ctx context.Context) {
	if h.rt.measured {
		end, err := h.open.Report(h.rt.Connectors.Names())
		if err != nil {
			h.rt.Logger.Error("open payments are not reported as metrics", "error", err)
		} else {
			defer func() { _ = end() }()
		}
	}
	if err := h.levels.FollowHeaders(ctx, h.open); err != nil {
		h.rt.Logger.Error("open payments are not counted", "error", err)
	}
}

// describe reads the open payments that a version before wrote.
func (h *heartbeats) describe(ctx context.Context) {
	ticker := time.NewTicker(heartbeatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := h.open.Describe(ctx, h.conn); err != nil && ctx.Err() == nil {
			h.rt.Logger.Warn("open payments of an earlier version cannot be read; will retry", "error", err)
		}
	}
}

func (h *heartbeats) key() string { return events.HeartbeatKey(h.rt.Service, h.id) }

func (h *heartbeats) send(ctx context.Context) {
	data, err := h.say(ctx).Encode()
	if err == nil {
		err = h.levels.PutHeartbeat(ctx, h.key(), data)
	}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		h.failures.add("nats", err)
		if !h.silent { // once for each outage
			h.rt.Logger.Warn("the heartbeat is not stored; payctl status does not show this process", "error", err, "next", "payctl streams diff")
		}
		h.silent = true
	case h.silent:
		h.silent = false
		h.rt.Logger.Info("the heartbeat is stored again")
	}
}

// say puts together how the process is.
func (h *heartbeats) say(ctx context.Context) status.Heartbeat {
	host, _ := os.Hostname()
	beat := status.Heartbeat{
		ID: h.id, Service: h.rt.Service, Process: h.rt.Name, Host: host, Version: ThisBuild().Short(), Configuration: digest(h.rt),
		StartedAt: h.startedAt, At: h.rt.Now().UTC(), Slots: h.slots, InFlight: h.conn.Broker().Count.InFlight.Load(), Failures: h.failures.known(),
	}
	if err := h.ready(); err != nil {
		beat.NotReady = status.FailureOf(beat.At, err).Error
	}
	if s := h.rt.clock.State(); s.Measured {
		beat.Clock = &status.Clock{Difference: s.Difference.Seconds(), Uncertainty: s.Uncertainty.Seconds()}
	}
	if h.calls != nil {
		beat.Providers = map[string]status.ProviderHealth{}
		for provider, health := range h.calls.Health() {
			of := status.ProviderHealth{Breaker: health.Breaker, CallsAt: health.CallsAt, Refused: health.Refused}
			if f := health.LastFailure; f != nil {
				of.LastFail = &status.Failure{At: f.At.UTC(), Error: f.What}
			}
			beat.Providers[provider] = of
		}
	}
	if h.endpoints != nil {
		beat.Endpoints = h.endpoints()
	}
	if h.open != nil {
		ctx, cancel := context.WithTimeout(ctx, levelsTimeout)
		defer cancel()
		beat.Open = h.open.Summary(h.rt.Connectors.Names())
		if levels, err := h.levels.Levels(ctx, h.rt.Connectors.Names()); err == nil {
			beat.Levels = levels
		} else if ctx.Err() == nil {
			h.failures.add("nats", err)
		}
	}
	return beat
}

// ready is what /readyz says.
func (h *heartbeats) ready() error {
	if h.rt.health == nil {
		return h.conn.Ready()
	}
	return h.rt.health.check()
}

// digest tells configurations of one service apart, without their secrets. Archives and notifiers do not read the settings of providers,
// so theirs differ from those of other services. The addresses that a process listens on are left out: processes on one machine need
// ports of their own, and do the same.
func digest(rt Runtime) string {
	cfg := rt.Config
	for _, address := range []*string{
		&cfg.Ingress.Listen, &cfg.Ingress.AdminListen, &cfg.Worker.AdminListen, &cfg.Archive.AdminListen, &cfg.Notifier.AdminListen, &cfg.Console.Listen, &cfg.Console.AdminListen,
	} {
		*address = ""
	}
	sum := sha256.Sum256([]byte(cfg.Summary()))
	return hex.EncodeToString(sum[:6])
}

// failures remembers the last error of each thing that a process depends on. It is safe for concurrent use.
type failures struct {
	now   func() time.Time
	redis chan struct{} // signalled when Redis fails; buffered for one signal

	mu   sync.Mutex
	last map[string]status.Failure
}

func (f *failures) add(name string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil {
		f.last = map[string]status.Failure{}
	}
	f.last[name] = status.FailureOf(f.now(), err)
}

func (f *failures) known() map[string]status.Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]status.Failure{}
	for name, failure := range f.last {
		all[name] = failure
	}
	return all
}

// redisFailures notes what fails at Redis.
type redisFailures struct{ *failures }

func (f redisFailures) note(err error) {
	if err != nil && !errors.Is(err, goredis.Nil) && !errors.Is(err, context.Canceled) && !strings.HasPrefix(err.Error(), "NOSCRIPT") {
		f.add("redis", err)
		select {
		case f.redis <- struct{}{}:
		default: // signalled already
		}
	}
}

func (f redisFailures) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := next(ctx, network, address)
		f.note(err)
		return conn, err
	}
}

func (f redisFailures) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		f.note(err)
		return err
	}
}

func (f redisFailures) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		err := next(ctx, cmds)
		f.note(err)
		return err
	}
}
