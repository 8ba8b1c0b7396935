package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/clock"
	"payonce/pkg/config"
	"payonce/pkg/events/jetstream"
)

// The gauges of this process's clock, by service. They say nothing before NATS's clock was measured.
const (
	MetricClockDifference  = "payonce.clock.difference"  // how far this machine's clock is ahead of NATS's
	MetricClockUncertainty = "payonce.clock.uncertainty" // how far the measured time of NATS may be wrong
)

const (
	// measureEvery is how often NATS is asked for its time, and measureSoon how often while the clock cannot be trusted.
	measureEvery = 5 * time.Second
	measureSoon  = 500 * time.Millisecond
	// lookEvery is how often the machine's own clocks are compared with each other.
	lookEvery = 250 * time.Millisecond
	// measureTimeout bounds one measurement.
	measureTimeout = 2 * time.Second
	// firstMeasurements is how often NATS is asked for its time before a service begins. A worker that has no answer
	// takes nothing until it has one.
	firstMeasurements = 3
)

const adviceForClocks = "run chrony or systemd-timesyncd on this machine, then on the other"

// clockLimits returns what the configuration allows. After NATS's clock jumped nothing is taken for as long as a request
// that was sent before can still be on its way.
func clockLimits(cfg config.Config) clock.Limits {
	return clock.Limits{Bound: cfg.Worker.ClockBound, Difference: cfg.Worker.ClockLimit, Steady: cfg.Settling().Least()}
}

// fit returns what keeps a worker from taking messages: its clock. Other services take none.
func (rt Runtime) fit() func() error {
	if rt.role != config.RoleWorker || rt.clock == nil {
		return nil
	}
	return func() error {
		if err := rt.clock.Check(); err != nil {
			return fmt.Errorf("clock: %w; %s", err, adviceForClocks)
		}
		return nil
	}
}

// measure asks NATS for its time, once.
func (rt Runtime) measure(ctx context.Context, conn *jetstream.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	sent := rt.clock.Local()
	at, err := conn.ServerTime(ctx)
	if err != nil {
		return err
	}
	rt.clock.Observe(sent, rt.clock.Local(), at)
	return nil
}

// measureFirst asks NATS for its time before the service begins.
func (rt Runtime) measureFirst(ctx context.Context, conn *jetstream.Conn) {
	for range firstMeasurements {
		err := rt.measure(ctx, conn)
		if err == nil {
			return
		}
		rt.Logger.Warn("cannot read the time of NATS; will retry", "error", err)
	}
}

// keepClock asks NATS for its time until ctx ends, and at once when this machine's clock jumped. It logs when the
// clock becomes wrong and when it is right again.
func (rt Runtime) keepClock(ctx context.Context, conn *jetstream.Conn) error {
	end, err := rt.reportClock()
	if err != nil {
		return err
	}
	defer end()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	asked, told := rt.clock.Local().Mono, clockRight
	for {
		wait := measureEvery
		if err := rt.clock.Check(); err != nil && !errors.Is(err, clock.ErrDiffers) {
			wait = measureSoon
		}
		if now := rt.clock.Local().Mono; now-asked >= wait {
			asked = now
			if err := rt.measure(ctx, conn); err != nil && ctx.Err() == nil {
				rt.Logger.Warn("cannot read the time of NATS; will retry", "error", err)
			}
		}
		told = rt.tellClock(told)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// clockState is what the log said of the clock last.
type clockState int

const (
	clockRight clockState = iota
	clockWarned
	clockStopped
)

// tellClock logs what has changed.
func (rt Runtime) tellClock(told clockState) clockState {
	s, err := rt.clock.State(), rt.clock.Check()
	is := clockRight
	switch {
	case err != nil && rt.role == config.RoleWorker:
		is = clockStopped
	case s.Exceeds(rt.Config.Worker.ClockWarning):
		is = clockWarned
	}
	if is == told {
		return told
	}
	facts := []any{"difference", s.Direction(), "seconds", s.Difference.Seconds(), "uncertainty", s.Uncertainty}
	switch is {
	case clockStopped:
		rt.Logger.Error("the clock is wrong; no messages are processed", append(facts, "error", err, "next", adviceForClocks)...)
	case clockWarned:
		rt.Logger.Warn("this machine's clock differs from NATS's", append(facts, "next", adviceForClocks)...)
	case clockRight:
		rt.Logger.Info("the clock is correct again", facts...)
	}
	return is
}

// reportClock makes the gauges of the clock, until end is called.
func (rt Runtime) reportClock() (end func(), err error) {
	meter, service := otel.Meter("payonce/app"), metric.WithAttributes(attribute.String("service", rt.Service))
	difference, err := meter.Float64ObservableGauge(MetricClockDifference, metric.WithUnit("s"))
	if err != nil {
		return nil, fmt.Errorf("make the gauge of the clock: %w", err)
	}
	uncertainty, err := meter.Float64ObservableGauge(MetricClockUncertainty, metric.WithUnit("s"))
	if err != nil {
		return nil, fmt.Errorf("make the gauge of the clock: %w", err)
	}
	registration, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if s := rt.clock.State(); s.Measured {
			o.ObserveFloat64(difference, s.Difference.Seconds(), service)
			o.ObserveFloat64(uncertainty, s.Uncertainty.Seconds(), service)
		}
		return nil
	}, difference, uncertainty)
	if err != nil {
		return nil, fmt.Errorf("make the gauge of the clock: %w", err)
	}
	return func() { _ = registration.Unregister() }, nil // it cannot fail
}
