package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// An outage of Redis is told once, and so is its end with its length, also where no command fails meanwhile; one that fails is
// followed up at once.
func TestRedisAwayAndBackAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		var down atomic.Bool
		failed := make(chan struct{}, 1)
		w := redisWatch{log: slog.New(slog.NewTextHandler(&lines, nil)), now: time.Now, failed: failed, next: "look", ping: func(context.Context) error {
			if down.Load() {
				return errors.New("connection refused")
			}
			return nil
		}}
		ctx, cancel := context.WithCancel(t.Context())
		go w.run(ctx)
		after := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		said := func(away, back int) {
			t.Helper()
			if a, b := strings.Count(lines.String(), "Redis: no answer"), strings.Count(lines.String(), "Redis: answers again"); a != away || b != back {
				t.Errorf("said %d and %d times, want %d and %d:\n%s", a, b, away, back, lines.String())
			}
		}
		after(time.Minute)
		said(0, 0)
		down.Store(true)
		after(redisEvery)
		said(1, 0)
		after(time.Minute)
		said(1, 0)
		down.Store(false)
		after(redisAgain)
		said(1, 1)
		if !strings.Contains(lines.String(), "after=1m") || !strings.Contains(lines.String(), `error="connection refused"`) || !strings.Contains(lines.String(), "next=look") {
			t.Error(lines.String())
		}
		down.Store(true)
		failed <- struct{}{}
		synctest.Wait()
		said(2, 1)
		cancel()
		synctest.Wait()
	})
}
