package redis_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	claims "payonce/pkg/idempotency/redis"
	"payonce/pkg/limits"
	"payonce/pkg/limits/redis"
	"payonce/test/redistest"
)

// slow is so slow that the time a test takes plays no part.
var slow = limits.Rate{Calls: 6, Per: time.Hour, Burst: 3}

const minutes = time.Minute

func connect(t *testing.T, config claims.Config) goredis.UniversalClient {
	t.Helper()
	const generous = 30 * time.Second // the machine may be slow
	config.DialTimeout, config.ReadTimeout, config.WriteTimeout = generous, generous, generous
	client, err := claims.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// reserve wants a place, or none, that is at most a minute nearer than the given time.
func reserve(t *testing.T, b *redis.Budget, name string, timeout, want time.Duration, wantOK bool) {
	t.Helper()
	wait, ok, err := b.Reserve(t.Context(), name, slow, timeout)
	if err != nil || ok != wantOK || wait > want || wait < want-time.Minute {
		t.Errorf("%s with %s: waits %s, %t, %v; want %s, %t", name, timeout, wait, ok, err, want, wantOK)
	}
}

func play(t *testing.T, b *redis.Budget) {
	for range 3 {
		reserve(t, b, "one", 0, 0, true)
	}
	reserve(t, b, "one", 0, 10*minutes, false)
	reserve(t, b, "one", 5*minutes, 10*minutes, false) // a refusal took nothing
	reserve(t, b, "one", 50*minutes, 10*minutes, true)
	reserve(t, b, "one", 50*minutes, 20*minutes, true)
	reserve(t, b, "one", 10*minutes, 30*minutes, false)
	reserve(t, b, "two", 0, 0, true) // of its own
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 40 { // of many at once, as many as there are places
		all.Go(func() {
			if _, ok, err := b.Reserve(t.Context(), "three", slow, 51*minutes); err != nil {
				t.Error(err)
			} else if ok {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 3+5 {
		t.Errorf("%d places were taken, want 8", taken.Load())
	}
}

func TestBudgetOnMiniredis(t *testing.T) {
	server := miniredis.RunT(t)
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	server.SetTime(now)
	b := redis.New(connect(t, claims.Config{Addresses: []string{server.Addr()}}))
	play(t, b)
	server.SetTime(now.Add(10 * minutes)) // one place more every ten minutes
	reserve(t, b, "one", 50*minutes, 20*minutes, true)
	server.SetTime(now.Add(100 * time.Hour)) // not more than the burst
	for range 3 {
		reserve(t, b, "one", 0, 0, true)
	}
	reserve(t, b, "one", 0, 10*minutes, false)
	for i := range 7 { // no caller waits for longer than an hour
		reserve(t, b, "one", 100*time.Hour, min(time.Duration(i+1), 7)*10*minutes, i < 6)
	}
	server.SetTime(now.Add(-1000 * time.Hour)) // a clock that was set back does not stop payments
	reserve(t, b, "one", 0, 0, true)
	server.SetTime(now)
	for n := range 9 { // until a caller waits for an hour
		reserve(t, b, "kept", time.Hour, max(time.Duration(n-2), 0)*10*minutes, true)
	}
	if ttl := server.TTL(redis.DefaultPrefix + ":{kept}"); ttl < 90*time.Minute {
		t.Errorf("places for 90 minutes are forgotten after %s", ttl)
	}
	for _, key := range server.Keys() {
		if ttl := server.TTL(key); ttl <= 0 || ttl > 3*time.Hour {
			t.Errorf("%s lives for %s", key, ttl)
		}
	}
	server.SetError("LOADING")
	if _, ok, err := b.Reserve(t.Context(), "one", slow, time.Hour); err == nil || ok {
		t.Errorf("a server that is down: %t, %v", ok, err)
	}
}

func TestBudgetOnRedis(t *testing.T) {
	server := redistest.Start(t)
	play(t, redis.New(connect(t, claims.Config{Addresses: []string{server.Addr()}})))
	for _, name := range []string{"one", "two", "three"} {
		if ttl := server.MustDo("TTL " + redis.DefaultPrefix + ":{" + name + "}"); strings.Contains(ttl, "-") {
			t.Errorf("%s lives for ever: %s", name, ttl)
		}
	}
}

func TestBudgetOnCluster(t *testing.T) {
	server := redistest.StartCluster(t)
	play(t, redis.New(connect(t, claims.Config{Addresses: []string{server.Addr()}, Cluster: true})))
}
