package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"

	"payonce/pkg/config"
	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/statistics"
	"payonce/pkg/ingress"
	"payonce/pkg/payment"
)

// Ingress is the service that takes commands and webhooks by HTTP.
func Ingress() Service {
	return Service{
		Name:    "ingress",
		Summary: "accepts commands and webhooks over HTTP and shows payments",
		Role:    config.RoleIngress,
		Run:     observed(runIngress, func(cfg config.Config) string { return cfg.Ingress.AdminListen }),
	}
}

func runIngress(ctx context.Context, rt Runtime, ready func(string)) error {
	if len(rt.Config.Ingress.APIKeys) == 0 {
		return errors.New("ingress.api_keys: at least one is required")
	}
	conn, err := connectNATS(ctx, rt)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	levels, err := statistics.New(conn, nil)
	if err != nil {
		return err
	}
	rt.measureFirst(ctx, conn)
	rt.health.becomes(conn.Ready)
	find, closeSearch := newSearch(rt.Config, conn)
	defer closeSearch()
	handler, err := newHandler(rt, conn, levels, find)
	if err != nil {
		return err
	}
	listener, err := listen(ctx, rt.Config.Ingress)
	if err != nil {
		return err
	}
	var background sync.WaitGroup
	asking, stop := context.WithCancel(ctx)
	background.Go(func() { logClocks(asking, rt) })
	background.Go(func() {
		if err := rt.keepClock(asking, conn); err != nil {
			rt.Logger.Error("cannot measure NATS's clock", "error", err)
		}
	})
	background.Go(func() {
		if err := conn.WatchWrites(asking, probed(rt.Config)...); err != nil {
			rt.Logger.Error("cannot probe the streams", "error", err)
		}
	})
	background.Go(func() { keepBanks(asking, rt.Connectors, rt.Logger) })
	background.Go(func() { _ = newHeartbeats(rt, conn, levels, nil, nil).run(asking) }) // it has no error
	background.Go(func() {
		err := reload(asking, rt, func(cfg config.Config) error { return take(cfg, handler, listener) })
		if err != nil {
			rt.Logger.Error("cannot watch the configuration", "error", err)
		}
	})
	defer background.Wait()
	defer stop()
	if rt.measured && !rt.Config.NATS.Accounts { // else workers do
		background.Go(func() {
			if err := levels.ReportLevels(asking, rt.Connectors.Names()); err != nil {
				rt.Logger.Error("cannot report queue levels", "error", err)
			}
		})
	}
	server := ingress.NewHTTPServer(handler, limits(rt.Config.Ingress))
	server.ConnState, server.ErrorLog = listener.connections.State, serverErrors(rt.Logger)
	ready("listening on " + listener.Addr().String())
	return serve(ctx, rt, server, listener)
}

// probed are the streams that an ingress writes to.
func probed(cfg config.Config) []string {
	if cfg.NATS.Accounts {
		return []string{events.IntakeStream(events.IngressIntake)}
	}
	return []string{events.StreamCommands, events.StreamWebhooks}
}

func newHandler(rt Runtime, conn *jetstream.Conn, levels *statistics.Reporter, find ingress.Search) (*ingress.Server, error) {
	cfg := rt.Config.Ingress
	return ingress.New(ingress.Options{
		Registry: rt.Connectors, Commands: conn, Webhooks: conn, RefusedWebhooks: conn, Log: conn, Actions: conn, Refusals: conn, Search: find, Keys: apiKeys(cfg.APIKeys),
		WebhookSources: webhookSources(rt.Config), TrustedProxies: cfg.TrustedProxies, ProxyHeader: proxyHeader(cfg),
		ClientCertificates: cfg.TLS.ClientCA != "", Limits: limits(cfg), Retention: rt.Config.NATS.PaymentsRetention,
		OrderPrefixes: rt.Config.OrderPrefixes, NATSUpstreams: rt.Config.NATS.Upstreams,
		Opening: func(provider string, op payment.Operation) ingress.Opening {
			of := rt.Config.Providers[provider].Hours
			return ingress.Opening{Hours: of.Calendar(op), WhenClosed: of.WhenClosed.For(op)}
		},
		Now: rt.Now, NewID: uuid.NewString, Logger: rt.Logger,
		Ready:  func(context.Context) error { return conn.Ready() },
		Status: newReporter(rt, conn, levels),
	})
}

// take puts the keys and certificates of a new configuration in effect.
func take(cfg config.Config, handler *ingress.Server, listener *listener) error {
	certificates, err := cfg.Ingress.TLS.Server()
	if err != nil {
		return fmt.Errorf("ingress.tls: %w", err)
	}
	if err := handler.ReplaceKeys(apiKeys(cfg.Ingress.APIKeys)); err != nil {
		return err
	}
	listener.replace(certificates)
	return nil
}

// serve answers until ctx ends, and then lets the requests under way end.
func serve(ctx context.Context, rt Runtime, server *http.Server, listener net.Listener) error {
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), rt.Config.Worker.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("requests were aborted: %w", err)
	}
	return nil
}

func apiKeys(configured []config.APIKey) []ingress.APIKey {
	keys := make([]ingress.APIKey, 0, len(configured))
	for _, key := range configured {
		keys = append(keys, ingress.APIKey{
			Name: key.Name, Upstream: key.Upstream, SHA256: key.SHA256, PreviousSHA256: key.PreviousSHA256, Providers: key.Providers,
			Operations: key.Operations, Balance: key.Balance, RequestsPerSecond: key.RequestsPerSecond, Burst: key.Burst,
			BytesPerSecond: key.BytesPerSecond, BytesBurst: key.BytesBurst,
		})
	}
	return keys
}

// proxyHeader is where a trusted proxy writes the client's address, if there is one.
func proxyHeader(cfg config.Ingress) string {
	if len(cfg.TrustedProxies) == 0 {
		return ""
	}
	return cfg.ProxyHeader
}

// answerTime is what an answer may take to be written, beside reading the request and asking NATS.
const answerTime = 15 * time.Second

// limits are the configured ones.
func limits(cfg config.Ingress) ingress.Limits {
	return ingress.Limits{
		HeaderBytes: cfg.HeaderBytes, ReadHeaderTimeout: cfg.ReadHeaderTimeout, ReadTimeout: cfg.ReadTimeout, IdleTimeout: cfg.IdleTimeout,
		WriteTimeout: cfg.ReadTimeout + cfg.BackendTimeout + answerTime, BackendTimeout: cfg.BackendTimeout,
		MaxWait: cfg.MaxWait, MaxWaiting: cfg.MaxWaiting, MaxRequests: cfg.MaxRequests,
		RequestsPerSecond: cfg.RequestsPerSecond, Burst: cfg.Burst, BytesPerSecond: cfg.BytesPerSecond, BytesBurst: cfg.BytesBurst,
		MaxWaitingPerKey: cfg.MaxWaitingPerKey, MaxRequestsPerKey: cfg.MaxRequestsPerKey, MaxRequestsPerProvider: cfg.MaxRequestsPerProvider,
		BodyBytes: cfg.BodyBytes, BodyBytesPerSource: cfg.BodyBytesPerSource, BodyBytesPerProvider: cfg.BodyBytesPerProvider,
	}
}

func webhookSources(cfg config.Config) map[string][]netip.Prefix {
	sources := map[string][]netip.Prefix{}
	for name, provider := range cfg.Providers {
		if len(provider.WebhookSources) > 0 {
			sources[name] = provider.WebhookSources
		}
	}
	return sources
}
