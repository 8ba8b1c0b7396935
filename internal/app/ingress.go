package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/google/uuid"

	"payonce/pkg/config"
	"payonce/pkg/ingress"
)

// Ingress is the service that takes commands and webhooks by HTTP.
func Ingress() Service {
	return Service{
		Name:    "ingress",
		Summary: "takes commands and webhooks by HTTP and shows payments",
		Role:    config.RoleIngress,
		Run:     runIngress,
	}
}

func runIngress(ctx context.Context, rt Runtime, ready func(string)) error {
	if len(rt.Config.Ingress.APIKeys) == 0 {
		return errors.New("ingress.api_keys: at least one is needed")
	}
	conn, err := connectNATS(ctx, rt)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	handler, err := ingress.New(ingress.Options{
		Registry: rt.Connectors, Commands: conn, Webhooks: conn, Log: conn, Keys: apiKeys(rt.Config.Ingress.APIKeys),
		WebhookSources: webhookSources(rt.Config), TrustedProxies: rt.Config.Ingress.TrustedProxies, ProxyHeader: proxyHeader(rt.Config.Ingress),
		Limits: limits(rt.Config.Ingress),
		Now:    rt.Now, NewID: uuid.NewString, Logger: rt.Logger,
		Ready: func(context.Context) error { return conn.Ready() },
	})
	if err != nil {
		return err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", rt.Config.Ingress.Listen)
	if err != nil {
		return fmt.Errorf("ingress.listen: %w", err)
	}
	var background sync.WaitGroup
	asking, stop := context.WithCancel(ctx)
	background.Go(func() { keepBanks(asking, rt.Connectors, rt.Logger) })
	defer background.Wait()
	defer stop()
	server := ingress.NewHTTPServer(handler, limits(rt.Config.Ingress))
	ready("listening on " + listener.Addr().String())
	return serve(ctx, rt, server, listener)
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
		return fmt.Errorf("requests were cut off: %w", err)
	}
	return nil
}

func apiKeys(configured []config.APIKey) []ingress.APIKey {
	keys := make([]ingress.APIKey, 0, len(configured))
	for _, key := range configured {
		keys = append(keys, ingress.APIKey(key))
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

// limits are the configured ones; the rest takes its default.
func limits(cfg config.Ingress) ingress.Limits {
	return ingress.Limits{MaxWait: cfg.MaxWait, MaxWaiting: cfg.MaxWaiting}
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
