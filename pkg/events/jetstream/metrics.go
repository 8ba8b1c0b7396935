package jetstream

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const meterName = "payonce/jetstream"

// The names of the metrics of one process. All but MetricInFlight, MetricWritable and MetricUnreadable only grow; they are the counters of [Stats].
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
	// MetricWritable is 1 for each stream that takes what this process publishes, and 0 for one that does not.
	MetricWritable = "payonce.streams.writable"
	// MetricUnreadable is how many payments this process knows whose last event cannot be read, by provider.
	MetricUnreadable = "payonce.payments.unreadable"
)

// registerStats lets the counters of the connection be read as metrics. The returned function ends that.
func (c *Conn) registerStats() (end func() error, err error) {
	meter := c.meters.Meter(meterName)
	var errs []error
	var all []metric.Observable
	counter := func(i metric.Int64ObservableCounter, err error) metric.Int64ObservableCounter {
		all, errs = append(all, i), append(errs, err)
		return i
	}
	inFlight, err := meter.Int64ObservableGauge(MetricInFlight)
	all, errs = append(all, inFlight), append(errs, err)
	deliveries := counter(meter.Int64ObservableCounter(MetricDeliveries))
	redeliveries := counter(meter.Int64ObservableCounter(MetricRedeliveries))
	retries := counter(meter.Int64ObservableCounter(MetricRetries))
	parked := counter(meter.Int64ObservableCounter(MetricParked))
	forwarded := counter(meter.Int64ObservableCounter(MetricForwarded))
	deadLettered := counter(meter.Int64ObservableCounter(MetricDeadLettered))
	orphans := counter(meter.Int64ObservableCounter(MetricOrphans))
	undelivered := counter(meter.Int64ObservableCounter(MetricUndelivered))
	panics := counter(meter.Int64ObservableCounter(MetricPanics))
	unsettled := counter(meter.Int64ObservableCounter(MetricUnsettled))
	stalls := counter(meter.Int64ObservableCounter(MetricStalls))
	resubscribes := counter(meter.Int64ObservableCounter(MetricResubscribes))
	publishRetries := counter(meter.Int64ObservableCounter(MetricPublishRetries))
	reconnects := counter(meter.Int64ObservableCounter(MetricReconnects))
	writable, err := meter.Int64ObservableGauge(MetricWritable)
	all, errs = append(all, writable), append(errs, err)
	unreadable, err := meter.Int64ObservableGauge(MetricUnreadable)
	all, errs = append(all, unreadable), append(errs, err)
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("make the counters: %w", err)
	}
	registered, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := c.Stats()
		o.ObserveInt64(inFlight, s.InFlight)
		for instrument, n := range map[metric.Int64Observable]uint64{
			deliveries: s.Deliveries, redeliveries: s.Redeliveries, retries: s.Retries, parked: s.Parked,
			forwarded: s.Forwarded, deadLettered: s.DeadLetters, orphans: s.Orphans, undelivered: s.Undelivered, panics: s.Panics,
			unsettled: s.Unsettled, stalls: s.Stalls, resubscribes: s.Resubscribes,
			publishRetries: s.PublishRetries, reconnects: s.Reconnects,
		} {
			o.ObserveInt64(instrument, int64(n))
		}
		for provider, n := range c.unreadable.count() {
			o.ObserveInt64(unreadable, n, by("provider", provider))
		}
		for stream, can := range c.writes.known() {
			value := int64(0)
			if can {
				value = 1
			}
			o.ObserveInt64(writable, value, by("stream", stream))
		}
		return nil
	}, all...)
	if err != nil {
		return nil, fmt.Errorf("register the counters: %w", err)
	}
	return registered.Unregister, nil
}

func by(pairs ...string) metric.MeasurementOption {
	var attributes []attribute.KeyValue
	for i := 0; i+1 < len(pairs); i += 2 {
		attributes = append(attributes, attribute.String(pairs[i], pairs[i+1]))
	}
	return metric.WithAttributes(attributes...)
}
