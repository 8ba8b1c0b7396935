package redis_test

import (
	"testing"

	"github.com/alicebob/miniredis/v2"

	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
)

// FuzzRecord claims an order whose record holds anything. The answer is an error, or one that can be relied
// on: what was won can be renewed and given back with its fence, and no caller is told to wait for a
// negative time.
func FuzzRecord(f *testing.F) {
	f.Add("b", "0", "3600000", "1")
	f.Add("a", "99999999999999", "3600000", "1")
	f.Add("b", "soon", "long", "high")
	f.Add("", "-1", "-1", "-1")
	f.Add("b", "0", "3600000", "-1")
	f.Add("b", "1e300", "1e300", "1e300")
	server := miniredis.RunT(f)
	store := redis.New(connect(f, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	const key = "payonce:claim:{teemopay-kr:D-1}"
	f.Fuzz(func(t *testing.T, owner, lease, retention, fence string) {
		server.FlushDB()
		server.HSet(key, "owner", owner, "lease_until", lease, "retention", retention, "fence", fence)
		got, err := store.Claim(t.Context(), order, request("a"))
		switch {
		case err != nil && got.Outcome != 0:
			t.Errorf("an error, and outcome %d: %v", got.Outcome, err)
		case err != nil:
		case got.Outcome == idempotency.Busy && got.Wait < 0:
			t.Errorf("busy for %s", got.Wait)
		case got.Outcome == idempotency.Won:
			checkWon(t, store, got)
		}
	})
}

func checkWon(t *testing.T, store *redis.Store, got idempotency.Claim) {
	t.Helper()
	if err := store.Renew(t.Context(), order, got.Held, hour); err != nil {
		t.Errorf("renew %+v: %v", got.Held, err)
	}
	if err := store.Release(t.Context(), order, got.Held); err != nil {
		t.Errorf("release %+v: %v", got.Held, err)
	}
}
