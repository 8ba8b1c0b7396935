// Package telemetry says where metrics and traces of a program go: to an OpenTelemetry collector, where the
// environment names one, and to clients that scrape /metrics. The rest of the program knows only the API of
// OpenTelemetry; where this package starts nothing, that API does nothing and costs nothing.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Options say what to start.
type Options struct {
	Service  string // the program: "worker" or "ingress"
	Instance string // of this process
	Version  string
	// Scraped says that metrics are asked for by HTTP, see [Telemetry.Metrics].
	Scraped bool
	// Logger reports telemetry that could not be delivered.
	Logger *slog.Logger
}

// Telemetry is what was started.
type Telemetry struct {
	metrics  http.Handler
	measures bool
	stop     []func(context.Context) error
}

// Start sets the providers of the OpenTelemetry API for the whole process. Traces and metrics go by OTLP over
// HTTP where the environment names a collector: OTEL_EXPORTER_OTLP_ENDPOINT, or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
// and OTEL_EXPORTER_OTLP_METRICS_ENDPOINT. The other variables of OpenTelemetry count too, e.g.
// OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER and OTEL_SDK_DISABLED.
func Start(ctx context.Context, o Options) (*Telemetry, error) {
	report(o.Logger)
	t := &Telemetry{}
	disabled := strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true")
	traces, metrics := !disabled && wanted("TRACES"), !disabled && wanted("METRICS")
	if !traces && !metrics && !o.Scraped {
		return t, nil
	}
	about, err := describe(ctx, o)
	if err != nil {
		return nil, err
	}
	if traces {
		if err := t.startTraces(ctx, about); err != nil {
			return nil, err
		}
	}
	if metrics || o.Scraped {
		if err := t.startMetrics(ctx, o, about, metrics); err != nil {
			return nil, errors.Join(err, t.Stop(ctx))
		}
	}
	return t, nil
}

// wanted reports whether the environment names a collector for a signal.
func wanted(signal string) bool {
	if os.Getenv("OTEL_"+signal+"_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
}

// describe says who sends. The environment may say otherwise, and more.
func describe(ctx context.Context, o Options) (*resource.Resource, error) {
	about, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("payonce-"+o.Service), semconv.ServiceInstanceID(o.Instance), semconv.ServiceVersion(o.Version)),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("telemetry: describe this process: %w", err)
	}
	return about, nil
}

func (t *Telemetry) startTraces(ctx context.Context, about *resource.Resource) error {
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return fmt.Errorf("telemetry: traces: %w", err)
	}
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	otel.SetTracerProvider(provider)
	t.stop = append(t.stop, provider.Shutdown)
	return nil
}

func (t *Telemetry) startMetrics(ctx context.Context, o Options, about *resource.Resource, pushed bool) error {
	options := []metric.Option{metric.WithResource(about)}
	if pushed {
		exporter, err := otlpmetrichttp.New(ctx)
		if err != nil {
			return fmt.Errorf("telemetry: metrics: %w", err)
		}
		options = append(options, metric.WithReader(metric.NewPeriodicReader(exporter)))
	}
	if o.Scraped {
		registry := prometheus.NewRegistry()
		registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
		reader, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
		if err != nil {
			return fmt.Errorf("telemetry: metrics: %w", err)
		}
		options = append(options, metric.WithReader(reader))
		t.metrics = promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	}
	provider := metric.NewMeterProvider(options...)
	otel.SetMeterProvider(provider)
	t.measures = true
	t.stop = append(t.stop, provider.Shutdown)
	return nil
}

// Metrics answers GET /metrics in the text format of Prometheus. It is nil unless [Options].Scraped was set.
func (t *Telemetry) Metrics() http.Handler { return t.metrics }

// Measures reports whether metrics are exported or scraped.
func (t *Telemetry) Measures() bool { return t.measures }

// Stop sends what was not sent yet, until ctx ends.
func (t *Telemetry) Stop(ctx context.Context) error {
	var errs []error
	for _, stop := range t.stop {
		errs = append(errs, stop(ctx))
	}
	return errors.Join(errs...)
}
