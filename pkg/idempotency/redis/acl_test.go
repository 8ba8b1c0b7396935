package redis_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	shipped "payonce/deploy/redis"
	"payonce/pkg/events"
	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/idempotency/storetest"
	"payonce/pkg/limits"
	budget "payonce/pkg/limits/redis"
	"payonce/pkg/secret"
	"payonce/test/redistest"
)

const aclPassword = "a-password-of-a-test"

// shippedUser starts a server with the user that deploy/redis ships and connects as that user.
func shippedUser(t *testing.T) (*redistest.Server, goredis.UniversalClient) {
	t.Helper()
	server := redistest.Start(t)
	server.MustDo("ACL SETUSER payonce on >" + aclPassword + " " + strings.TrimSpace(shipped.Rules))
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}, Username: "payonce", Password: secret.New(aclPassword)})
	return server, client
}

// TestSuiteAsShippedUser runs what every store must do with the rights that the shipped user has: a command that is missing
// there shows here.
func TestSuiteAsShippedUser(t *testing.T) {
	t.Parallel()
	server, client := shippedUser(t)
	var connecting refusals
	client.AddHook(&connecting)
	if err := client.Ping(t.Context()).Err(); err != nil || len(connecting.all) > 0 {
		t.Errorf("ping on a new connection: %v; refused: %v", err, connecting.all)
	}
	admin := connect(t, redis.Config{Addresses: []string{server.Addr()}})
	var stores atomic.Int32
	storetest.Run(t, func(*testing.T) idempotency.Store {
		return redis.New(client, redis.Options{Prefix: fmt.Sprintf("%s:%d", redis.DefaultPrefix, stores.Add(1))})
	}, waiter(t, admin))
	store := redis.New(client, redis.Options{})
	now := events.LogMark{Log: "2026-11-22T09:00:00Z", Sequence: 3, At: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)}
	if _, ok, err := store.Raise(t.Context(), now, time.Time{}); err != nil || !ok {
		t.Errorf("raise the mark: %t: %v", ok, err)
	}
	if mark, err := store.Mark(t.Context()); err != nil || mark.Sequence != 3 {
		t.Errorf("read the mark: %+v: %v", mark, err)
	}
	if warnings, err := store.Check(t.Context()); err != nil || strings.Contains(strings.Join(warnings, ""), "maxmemory") {
		t.Errorf("check: %v: %v", warnings, err)
	}
	for range 2 { // by EVAL, then by EVALSHA
		if _, _, err := budget.New(client).Reserve(t.Context(), "acme", limits.Rate{Calls: 6, Per: time.Hour, Burst: 3}, time.Minute); err != nil {
			t.Errorf("reserve a call: %v", err)
		}
	}
}

// TestShippedUserCanDoNothingElse tries what a stolen password could be used for.
func TestShippedUserCanDoNothingElse(t *testing.T) {
	t.Parallel()
	server, client := shippedUser(t)
	server.MustDo("SET other 1")
	for _, command := range []string{
		"GET other", "SET other 2", "DEL payonce:claim:{a:b}", "DEL other", "UNLINK other", "FLUSHALL", "FLUSHDB", "KEYS *", "SCAN 0", "RANDOMKEY",
		"CONFIG GET requirepass", "CONFIG GET *", "CONFIG SET appendonly no", "CONFIG REWRITE", "ACL LIST", "ACL WHOAMI", "ACL SETUSER payonce allkeys",
		"SHUTDOWN NOSAVE", "REPLICAOF 127.0.0.1 1", "SLAVEOF NO ONE", "MIGRATE 127.0.0.1 1 other 0 1", "SAVE", "BGSAVE", "MONITOR",
		"CLIENT LIST", "CLIENT KILL ID 1", "CLIENT PAUSE 1", "SCRIPT FLUSH", "FUNCTION LIST", "MODULE LIST", "PUBLISH x y", "SUBSCRIBE x", "RENAME other payonce:claim:x",
		"COPY other payonce:claim:x", "DUMP other", "SWAPDB 0 1", "MOVE other 1", "OBJECT HELP", "LATENCY RESET", "SLOWLOG GET", "EXPIRE payonce:claim:x 1",
	} {
		var args []any
		for word := range strings.FieldsSeq(command) {
			args = append(args, word)
		}
		if err := client.Do(context.Background(), args...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("%s: %v, want NOPERM", command, err)
		}
	}
	for _, script := range []string{"return redis.call('GET', 'other')", "return redis.call('FLUSHALL')", "return redis.call('KEYS', '*')", "return redis.call('CONFIG', 'GET', '*')"} {
		if err := client.Eval(context.Background(), script, nil).Err(); err == nil {
			t.Errorf("%s was carried out", script)
		}
	}
	if have := server.MustDo("GET other"); have != "1" {
		t.Errorf("another's key is %q", have)
	}
}
