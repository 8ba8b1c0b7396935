package statistics

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const meterName = "payonce/jetstream"

// The names of the metrics of one process. All but MetricInFlight, MetricWritable and MetricUnreadable only grow, and are the counters of the connection.
const (
	MetricInFlight       = "payonce.queue.in_flight"
	MetricDeliveries     = "payonce.queue.deliveries"
	MetricRedeliveries   = "payonce.queue.redeliveries"
	MetricRetries        = "payonce.queue.retries"
	MetricParked         = "payonce.queue.parked"
	MetricForwarded      = "payonce.queue.forwarded"
	MetricDeadLettered   = "payonce.queue.dead_lettered"
	MetricOrphans        = "payonce.queue.orphaned"
	MetricUndelivered    = "payonce.queue.undelivered"
	MetricPanics         = "payonce.queue.panics"
	MetricUnsettled      = "payonce.queue.unsettled"
	MetricStalls         = "payonce.queue.stalls"
	MetricResubscribes   = "payonce.queue.resubscribes"
	MetricPublishRetries = "payonce.queue.publish_retries"
	MetricReconnects     = "payonce.queue.reconnects"
	MetricBatches        = "payonce.log.batches"
	MetricBatchedAppends = "payonce.log.batched_appends"
	MetricBatchesFailed  = "payonce.log.batches_failed"
	// MetricWritable is 1 for each stream that takes what this process publishes, and 0 for one that does not.
	MetricWritable = "payonce.streams.writable"
	// MetricUnreadable is how many payments this process knows whose last event cannot be read, by provider.
	MetricUnreadable = "payonce.payments.unreadable"
)

// register lets the counters of the connection be read as metrics until it is closed.
func (r *Reporter) register() error {
	meter := r.meters.Meter(meterName)
	var errs []error
	var all []metric.Observable
	inFlight, err := meter.Int64ObservableGauge(MetricInFlight)
	all, errs = append(all, inFlight), append(errs, err)
	count, counters := &r.broker.Count, map[metric.Int64Observable]*atomic.Int64{}
	counter := func(of *atomic.Int64) func(metric.Int64ObservableCounter, error) {
		return func(i metric.Int64ObservableCounter, err error) {
			all, errs, counters[i] = append(all, i), append(errs, err), of
		}
	}
	counter(&count.Deliveries)(meter.Int64ObservableCounter(MetricDeliveries))
	counter(&count.Redeliveries)(meter.Int64ObservableCounter(MetricRedeliveries))
	counter(&count.Retries)(meter.Int64ObservableCounter(MetricRetries))
	counter(&count.Parked)(meter.Int64ObservableCounter(MetricParked))
	counter(&count.Forwarded)(meter.Int64ObservableCounter(MetricForwarded))
	counter(&count.DeadLetters)(meter.Int64ObservableCounter(MetricDeadLettered))
	counter(&count.Orphans)(meter.Int64ObservableCounter(MetricOrphans))
	counter(&count.Undelivered)(meter.Int64ObservableCounter(MetricUndelivered))
	counter(&count.Panics)(meter.Int64ObservableCounter(MetricPanics))
	counter(&count.Unsettled)(meter.Int64ObservableCounter(MetricUnsettled))
	counter(&count.Stalls)(meter.Int64ObservableCounter(MetricStalls))
	counter(&count.Resubscribes)(meter.Int64ObservableCounter(MetricResubscribes))
	counter(&count.PublishRetries)(meter.Int64ObservableCounter(MetricPublishRetries))
	counter(&count.Reconnects)(meter.Int64ObservableCounter(MetricReconnects))
	counter(&count.Batches)(meter.Int64ObservableCounter(MetricBatches))
	counter(&count.BatchedAppends)(meter.Int64ObservableCounter(MetricBatchedAppends))
	counter(&count.BatchesFailed)(meter.Int64ObservableCounter(MetricBatchesFailed))
	writable, err := meter.Int64ObservableGauge(MetricWritable)
	all, errs = append(all, writable), append(errs, err)
	unreadable, err := meter.Int64ObservableGauge(MetricUnreadable)
	all, errs = append(all, unreadable), append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("make the counters: %w", err)
	}
	registered, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		o.ObserveInt64(inFlight, count.InFlight.Load())
		for instrument, counter := range counters {
			o.ObserveInt64(instrument, counter.Load())
		}
		for provider, n := range r.conn.Unreadable(*r.providers.Load()) {
			o.ObserveInt64(unreadable, n, by("provider", provider))
		}
		for stream, can := range r.broker.Writes.Known() {
			value := int64(0)
			if can {
				value = 1
			}
			o.ObserveInt64(writable, value, by("stream", stream))
		}
		return nil
	}, all...)
	if err != nil {
		return fmt.Errorf("register the counters: %w", err)
	}
	context.AfterFunc(r.broker.Stopping, func() { _ = registered.Unregister() })
	return nil
}

func by(pairs ...string) metric.MeasurementOption {
	var attributes []attribute.KeyValue
	for i := 0; i+1 < len(pairs); i += 2 {
		attributes = append(attributes, attribute.String(pairs[i], pairs[i+1]))
	}
	return metric.WithAttributes(attributes...)
}
