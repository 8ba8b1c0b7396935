package statistics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	njs "github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel/metric"

	"payonce/pkg/events"
	"payonce/pkg/events/jetstream"
	"payonce/pkg/events/jetstream/internal/broker"
)

// The names of the levels of the whole system, whichever process reads them. Those of the queue are by stream
// (COMMANDS or WEBHOOKS) and provider.
const (
	// MetricReadyMessages counts messages that no worker has taken yet. Parked ones are not ready.
	MetricReadyMessages = "payonce.queue.ready"
	// MetricOldestReady is the age of the oldest of them in seconds, 0 when there is none.
	MetricOldestReady = "payonce.queue.oldest_ready"
	// MetricUnacknowledged counts messages that are in work, or wait for a retry.
	MetricUnacknowledged = "payonce.queue.unacknowledged"
	// MetricOldestUnfinished is the age in seconds of the oldest message that is ready, in work, or waits for
	// a retry; 0 when there is none.
	MetricOldestUnfinished = "payonce.queue.oldest_unfinished"
	// MetricDeadLettersNow counts dead letters that no operator has dealt with, by stream and provider.
	MetricDeadLettersNow = "payonce.dead_letters"
	// MetricLevelsAge is how many seconds ago the levels were read.
	MetricLevelsAge = "payonce.levels.age"
)

// levelsTimeout bounds one reading.
const levelsTimeout = 30 * time.Second

// level is one number with its attributes.
type level struct {
	stream, provider string
	ready, unacked   int64
	oldest, unended  time.Duration
}

// levels are the last reading.
type levels struct {
	mu     sync.Mutex
	readAt time.Time // zero before the first
	queue  []level
	dead   map[[2]string]int64 // stream and provider
	behind map[string]int64    // replicas, by stream
	fill   map[string]float64  // by stream
}

// ReportLevels reads how full the queue is and gives it as metrics, until ctx ends. One process of the system is enough; of several
// each reports the same.
func (r *Reporter) ReportLevels(ctx context.Context, providers []string) error {
	if !r.broker.Begin() {
		return fmt.Errorf("report levels: %w", jetstream.ErrClosed)
	}
	defer r.broker.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.broker.Stopping, cancel)()
	r.providers.Store(&providers)
	read := &levels{}
	end, err := r.registerLevels(read)
	if err != nil {
		return fmt.Errorf("report levels: %w", err)
	}
	defer func() { _ = end() }()
	ticker := time.NewTicker(r.cfg.LevelsEvery)
	defer ticker.Stop()
	for {
		if err := r.readLevels(ctx, read, providers); err != nil && ctx.Err() == nil {
			r.log.Warn("cannot read queue levels; will retry", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// readLevels reads everything again. After an error the last reading stays, and grows old.
func (r *Reporter) readLevels(ctx context.Context, into *levels, providers []string) error {
	ctx, cancel := context.WithTimeout(ctx, levelsTimeout)
	defer cancel()
	next := levels{}
	for _, provider := range providers {
		for _, queue := range []struct{ stream, consumer, filter string }{
			{events.StreamCommands, broker.CommandsConsumer(provider), "*.requested." + provider + ".*"},
			{events.StreamWebhooks, broker.WebhooksConsumer(provider), "webhook.received." + provider + ".*"},
		} {
			l, err := r.queueLevel(ctx, queue.stream, queue.consumer, queue.filter)
			if err != nil {
				return err
			}
			l.provider = provider
			next.queue = append(next.queue, l)
		}
	}
	var err error
	if next.dead, err = r.countDeadLetters(ctx, providers); err != nil {
		return err
	}
	if next.behind, next.fill, err = r.streamLevels(ctx); err != nil {
		return err
	}
	into.mu.Lock()
	defer into.mu.Unlock()
	into.readAt, into.queue, into.dead = r.now(), next.queue, next.dead
	into.behind, into.fill = next.behind, next.fill
	return nil
}

// queueLevel reads what waits for a consumer, also for one that no worker has made yet.
func (r *Reporter) queueLevel(ctx context.Context, stream, name, filter string) (level, error) {
	l := level{stream: stream}
	var delivered, acknowledged uint64
	consumer, err := r.broker.JS.Consumer(ctx, stream, name)
	switch {
	case errors.Is(err, njs.ErrConsumerNotFound):
		if l.ready, err = r.countMessages(ctx, stream, filter); err != nil {
			return l, err
		}
	case err != nil:
		return l, fmt.Errorf("consumer %s: %w", name, err)
	default:
		info := consumer.CachedInfo()
		l.ready, l.unacked = int64(info.NumPending), int64(info.NumAckPending)
		delivered, acknowledged = info.Delivered.Stream, info.AckFloor.Stream
	}
	if l.ready > 0 {
		if l.oldest, err = r.ageAfter(ctx, stream, filter, delivered); err != nil {
			return l, err
		}
	}
	l.unended = l.oldest
	if l.unacked > 0 {
		l.unended, err = r.ageAfter(ctx, stream, filter, acknowledged)
	}
	return l, err
}

// ageAfter is how old the first message after a sequence is; 0 when there is none.
func (r *Reporter) ageAfter(ctx context.Context, stream, filter string, sequence uint64) (time.Duration, error) {
	handle, err := r.broker.Stream(ctx, stream)
	if err != nil {
		return 0, err
	}
	first, err := handle.GetMsg(ctx, sequence+1, njs.WithGetMsgSubject(filter))
	if errors.Is(err, njs.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("oldest of %s: %w", filter, err)
	}
	return max(r.now().Sub(first.Time), 0), nil
}

// countMessages counts the messages of all subjects; there is a consumer for each provider that is worked on,
// so these are few.
func (r *Reporter) countMessages(ctx context.Context, stream, filter string) (int64, error) {
	subjects, _, err := r.broker.Subjects(ctx, stream, filter, 0)
	n := uint64(0)
	for count := range maps.Values(subjects) {
		n += count
	}
	return int64(n), err
}

// countDeadLetters counts by stream and provider. A name that is not configured is an upstream's invention, and
// each would be a series of its own: they count as [events.NoProvider].
func (r *Reporter) countDeadLetters(ctx context.Context, providers []string) (map[[2]string]int64, error) {
	subjects, _, err := r.broker.Subjects(ctx, events.StreamDeadLetters, "deadletter.*.*", 0)
	if err != nil {
		return nil, err
	}
	counts := map[[2]string]int64{}
	for subject, n := range subjects {
		if stream, provider, ok := events.DeadLetterOf(subject); ok {
			if !slices.Contains(providers, provider) {
				provider = events.NoProvider
			}
			counts[[2]string{stream, provider}] += int64(n)
		}
	}
	return counts, nil
}

// registerLevels makes the gauges.
func (r *Reporter) registerLevels(read *levels) (end func() error, err error) {
	meter := r.meters.Meter(meterName)
	ready, err0 := meter.Int64ObservableGauge(MetricReadyMessages)
	oldest, err1 := meter.Float64ObservableGauge(MetricOldestReady, metric.WithUnit("s"))
	unacked, err2 := meter.Int64ObservableGauge(MetricUnacknowledged)
	unended, err3 := meter.Float64ObservableGauge(MetricOldestUnfinished, metric.WithUnit("s"))
	dead, err4 := meter.Int64ObservableGauge(MetricDeadLettersNow)
	age, err5 := meter.Float64ObservableGauge(MetricLevelsAge, metric.WithUnit("s"))
	behind, err6 := meter.Int64ObservableGauge(MetricReplicasBehind)
	fill, err7 := meter.Float64ObservableGauge(MetricStreamFill)
	stalled, err8 := meter.Float64ObservableGauge(MetricLogStalled, metric.WithUnit("s"))
	if err := errors.Join(err0, err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
		return nil, fmt.Errorf("make the gauges: %w", err)
	}
	registered, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		read.mu.Lock()
		defer read.mu.Unlock()
		if read.readAt.IsZero() {
			return nil
		}
		aged := r.now().Sub(read.readAt)
		o.ObserveFloat64(age, aged.Seconds())
		if since, known := r.progress.stalled(r.now()); known {
			o.ObserveFloat64(stalled, since.Seconds())
		}
		for _, l := range read.queue {
			of := by("stream", l.stream, "provider", l.provider)
			o.ObserveInt64(ready, l.ready, of)
			o.ObserveFloat64(oldest, l.oldest.Seconds(), of)
			o.ObserveInt64(unacked, l.unacked, of)
			o.ObserveFloat64(unended, l.unended.Seconds(), of)
		}
		for of, n := range read.dead {
			o.ObserveInt64(dead, n, by("stream", of[0], "provider", of[1]))
		}
		for stream, n := range read.behind {
			o.ObserveInt64(behind, n, by("stream", stream))
		}
		for stream, part := range read.fill {
			o.ObserveFloat64(fill, part, by("stream", stream))
		}
		return nil
	}, ready, oldest, unacked, unended, dead, age, behind, fill, stalled)
	if err != nil {
		return nil, fmt.Errorf("register the gauges: %w", err)
	}
	return registered.Unregister, nil
}
