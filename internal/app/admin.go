package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/internal/telemetry"
	"payonce/pkg/config"
)

// The gauges that every service has.
const (
	MetricReady = "payonce.ready"      // 1 when the service can work, 0 when not, by service
	MetricBuild = "payonce.build_info" // always 1, by service and version
)

// health says whether a service can work. Before becomes is called, it cannot.
type health struct {
	ready atomic.Pointer[func() error]
}

var errStarting = errors.New("not started yet")

func (h *health) check() error {
	if ready := h.ready.Load(); ready != nil {
		return (*ready)()
	}
	return errStarting
}

// becomes sets how to find out whether the service can work.
func (h *health) becomes(ready func() error) {
	if h != nil {
		h.ready.Store(&ready)
	}
}

// telemetryTimeout bounds how long a service that stops waits for its last telemetry to be taken.
const telemetryTimeout = 5 * time.Second

// observed returns a service's Run that has telemetry and, where it is configured, a listener for the
// operators: /metrics, /healthz and /readyz.
func observed(run func(context.Context, Runtime, func(string)) error, address func(config.Config) string) func(context.Context, Runtime, func(string)) error {
	return func(ctx context.Context, rt Runtime, ready func(string)) error {
		at := address(rt.Config)
		seen, err := telemetry.Start(ctx, telemetry.Options{
			Service: rt.Service, Instance: rt.Name, Version: Version(), Scraped: at != "", Logger: rt.Logger,
		})
		if err != nil {
			return err
		}
		defer func() {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), telemetryTimeout)
			defer cancel()
			if err := seen.Stop(last); err != nil {
				rt.Logger.Warn("cannot deliver the last telemetry", "error", err)
			}
		}()
		rt.health, rt.measured, rt.admin = &health{}, seen.Measures(), http.NewServeMux()
		forget, err := registerHealth(rt)
		if err != nil {
			return err
		}
		defer forget()
		stop, err := openAdmin(ctx, rt, at, seen.Metrics())
		if err != nil {
			return err
		}
		defer stop()
		return run(ctx, rt, ready)
	}
}

// openAdmin listens for the operators' requests, if an address is configured.
func openAdmin(ctx context.Context, rt Runtime, address string, metrics http.Handler) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	var network net.ListenConfig
	listener, err := network.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s.admin_listen: %w", rt.Service, err)
	}
	mux := rt.admin
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := rt.health.check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write([]byte("ready\n"))
	})
	server := &http.Server{Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, ErrorLog: serverErrors(rt.Logger)}
	go func() { _ = server.Serve(listener) }()
	rt.Logger.Info("metrics and health at http://" + listener.Addr().String())
	return func() { _ = server.Close() }, nil
}

// registerHealth makes the gauges of a service. forget ends the gauge of readiness: a process can hold
// several services one after another, and the one that ended must not speak for the next.
func registerHealth(rt Runtime) (forget func(), err error) {
	meter := otel.Meter("payonce/app")
	service := attribute.String("service", rt.Service)
	gauge, err := meter.Int64ObservableGauge(MetricReady)
	if err != nil {
		return nil, fmt.Errorf("make the gauge of readiness: %w", err)
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		ready := int64(1)
		if rt.health.check() != nil {
			ready = 0
		}
		o.ObserveInt64(gauge, ready, metric.WithAttributes(service))
		return nil
	}, gauge)
	if err != nil {
		return nil, fmt.Errorf("make the gauge of readiness: %w", err)
	}
	build, err := meter.Int64Gauge(MetricBuild)
	if err != nil {
		return nil, fmt.Errorf("make the gauge of the build: %w", err)
	}
	build.Record(context.Background(), 1, metric.WithAttributes(service, attribute.String("version", Version())))
	return func() { _ = registration.Unregister() }, nil // it cannot fail
}
