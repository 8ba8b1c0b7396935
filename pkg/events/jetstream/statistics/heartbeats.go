package statistics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	njs "github.com/nats-io/nats.go/jetstream"

	"payonce/pkg/events"
)

// PutHeartbeat lets a process say how it is, under a key of [events.HeartbeatKey]. It tries once and not for long: the next
// heartbeat comes soon.
func (r *Reporter) PutHeartbeat(ctx context.Context, key string, data []byte) error {
	return r.heartbeat(ctx, key, func(ctx context.Context, bucket njs.KeyValue) error {
		_, err := bucket.Put(ctx, key, data)
		return err
	})
}

// DeleteHeartbeat takes away what a process said that stops.
func (r *Reporter) DeleteHeartbeat(ctx context.Context, key string) error {
	return r.heartbeat(ctx, key, func(ctx context.Context, bucket njs.KeyValue) error { return bucket.Delete(ctx, key) })
}

func (r *Reporter) heartbeat(ctx context.Context, key string, do func(context.Context, njs.KeyValue) error) error {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.PublishTimeout)
	defer cancel()
	bucket, err := r.broker.JS.KeyValue(ctx, events.HeartbeatBucket)
	if err == nil {
		err = do(ctx, bucket)
	}
	if err != nil {
		return fmt.Errorf("heartbeat %s: %w", key, err)
	}
	return nil
}

// Heartbeats returns what each process that lives said last, by key. Keys are read as names of subjects, because a watcher
// of the bucket would need a consumer, which operators and ingresses may not make.
func (r *Reporter) Heartbeats(ctx context.Context) (map[string][]byte, error) {
	bucket, err := r.broker.JS.KeyValue(ctx, events.HeartbeatBucket)
	if err != nil {
		return nil, fmt.Errorf("heartbeats: %w", err)
	}
	subjects, _, err := r.broker.Subjects(ctx, events.StreamHeartbeats, events.HeartbeatSubject(">"), 0)
	if err != nil {
		return nil, fmt.Errorf("heartbeats: %w", err)
	}
	all := map[string][]byte{}
	for subject := range subjects {
		key := strings.TrimPrefix(subject, events.HeartbeatSubject(""))
		entry, err := bucket.Get(ctx, key)
		switch {
		case errors.Is(err, njs.ErrKeyNotFound): // it stopped, or vanished meanwhile
		case err != nil:
			return nil, fmt.Errorf("heartbeat %s: %w", key, err)
		default:
			all[key] = slices.Clone(entry.Value())
		}
	}
	return all, nil
}
