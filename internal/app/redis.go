package app

import (
	"context"
	"log/slog"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// How often a worker pings Redis while it answers and while it doesn't, and how long it waits for the answer.
const (
	redisEvery   = 10 * time.Second
	redisAgain   = time.Second
	redisTimeout = 2 * time.Second
)

// redisWatch logs once when Redis stops answering and once when it answers again, also while no payment needs it.
type redisWatch struct {
	ping   func(context.Context) error
	log    *slog.Logger
	now    func() time.Time
	failed <-chan struct{} // a command failed: ping at once
	next   string          // what workers do meanwhile
}

func newRedisWatch(rt Runtime, client goredis.UniversalClient, failed *failures) redisWatch {
	next := "workers continue with the log alone; check that Redis runs and that redis.addresses names it"
	if rt.Config.Redis.Required {
		next = "payments wait (redis.required); check that Redis runs and that redis.addresses names it"
	}
	ping := func(ctx context.Context) error { return client.Ping(ctx).Err() }
	return redisWatch{ping: ping, log: rt.Logger, now: rt.local, failed: failed.redis, next: next}
}

// run works until ctx ends.
func (w redisWatch) run(ctx context.Context) {
	var away time.Time // since when there is no answer; zero while Redis answers
	for {
		asking, cancel := context.WithTimeout(ctx, redisTimeout)
		err := w.ping(asking)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && away.IsZero():
			away = w.now()
			w.log.WarnContext(ctx, "Redis: no answer", "error", err, "next", w.next)
		case err == nil && !away.IsZero():
			w.log.InfoContext(ctx, "Redis: answers again", "after", w.now().Sub(away).Round(time.Second))
			away = time.Time{}
		}
		every, failed := redisEvery, w.failed
		if !away.IsZero() {
			every, failed = redisAgain, nil
		}
		timer := time.NewTimer(every)
		select {
		case <-failed:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}
