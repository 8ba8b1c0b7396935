package redis_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/idempotency/storetest"
	"payonce/test/redistest"
)

func TestSuiteOnMiniredis(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	server.SetTime(now)
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}})
	storetest.Run(t, opener(client), func(d time.Duration) {
		now = now.Add(d)
		server.SetTime(now)
		server.FastForward(d)
	})
}

func TestSuiteOnRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}})
	storetest.Run(t, opener(client), waiter(t, client))
}

func TestSuiteOnCluster(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t)
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}, Cluster: true})
	if _, ok := client.(*goredis.ClusterClient); !ok {
		t.Fatalf("the client is a %T", client)
	}
	storetest.Run(t, opener(client), waiter(t, client))
}

// timeout is how long a request may take on a machine that is slow, and stands still now and then.
const timeout = 30 * time.Second

func connect(t testing.TB, config redis.Config) goredis.UniversalClient {
	t.Helper()
	config.DialTimeout, config.ReadTimeout, config.WriteTimeout = timeout, timeout, timeout
	client, err := redis.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// opener gives each test a store of its own on the same server.
func opener(client goredis.UniversalClient) func(t *testing.T) idempotency.Store {
	var stores atomic.Int64
	return func(*testing.T) idempotency.Store {
		return redis.New(client, redis.Options{Prefix: fmt.Sprintf("suite-%d", stores.Add(1))})
	}
}

// waiter waits until the server's own clock has gone on.
func waiter(t *testing.T, client goredis.UniversalClient) func(d time.Duration) {
	now := func() time.Time {
		at, err := client.Time(context.Background()).Result()
		if err != nil {
			t.Fatalf("ask for the server's time: %v", err)
		}
		return at
	}
	return func(d time.Duration) {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for end := now().Add(d); now().Before(end); {
			<-tick.C
		}
	}
}
