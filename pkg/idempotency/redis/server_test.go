package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
	"payonce/test/redistest"
)

const hour = time.Hour

var order = payment.Ref{Provider: "teemopay-kr", Order: "D-1"}

func request(owner string) idempotency.Request {
	return idempotency.Request{Owner: owner, Lease: time.Minute, Retention: hour}
}

func claim(t *testing.T, store *redis.Store, owner string, want idempotency.Outcome) idempotency.Claim {
	t.Helper()
	got, err := store.Claim(t.Context(), order, request(owner))
	if err != nil || got.Outcome != want {
		t.Fatalf("%s claims: outcome %d, %v; want outcome %d", owner, got.Outcome, err, want)
	}
	return got
}

// reach waits until the client tries a server that is back. After some failed dials go-redis answers
// with the last failure and looks for the server only once a second.
func reach(t *testing.T, client goredis.UniversalClient) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for err := errors.New("not asked"); err != nil; err = client.Ping(ctx).Err() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the server is not reached again: %v", err)
		}
	}
}

// nothingKnown tests that each method returns an error from which nothing can be concluded.
func nothingKnown(t *testing.T, store *redis.Store, owner string) {
	t.Helper()
	// A frozen server is given up at this deadline.
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	got, err := store.Claim(ctx, order, request(owner))
	if err == nil || errors.Is(err, idempotency.ErrLost) || got.Outcome != 0 {
		t.Errorf("claim: %+v, %v", got, err)
	}
	held := idempotency.Held{Owner: owner, Fence: 1}
	for name, err := range map[string]error{
		"renew":   store.Renew(ctx, order, held, time.Minute),
		"release": store.Release(ctx, order, held),
	} {
		if err == nil || errors.Is(err, idempotency.ErrLost) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLostReply loses the reply of each request once. go-redis, with its own default of three retries,
// asks again, and must get the truth; of a plain SETNX it would hear that another holds the key.
func TestLostReply(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	proxy := redistest.StartProxy(t, server.Addr())
	client := goredis.NewClient(&goredis.Options{Addr: proxy.Addr(), DialTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout})
	t.Cleanup(func() { _ = client.Close() })
	store := redis.New(client, redis.Options{})
	direct := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	loadScripts(t, direct)

	losses := 0
	lose := func() {
		t.Helper()
		if proxy.Lost() != losses {
			t.Fatalf("%d replies were lost, want %d", proxy.Lost(), losses)
		}
		losses++
		proxy.LoseReply("evalsha")
	}
	lose()
	first := claim(t, store, "a", idempotency.Won)
	if first.Held.Fence != 1 {
		t.Errorf("fence %d", first.Held.Fence)
	}
	claim(t, direct, "b", idempotency.Busy)
	lose()
	if err := store.Renew(t.Context(), order, first.Held, time.Minute); err != nil {
		t.Error(err)
	}
	lose()
	if err := store.Release(t.Context(), order, first.Held); err != nil {
		t.Error(err)
	}
	if second := claim(t, direct, "b", idempotency.Won); second.Held.Fence != 2 {
		t.Errorf("after the lost reply of release: fence %d", second.Held.Fence)
	}
	lose() // counts the last one
}

// loadScripts makes the server know all scripts, with an order that is used for nothing else.
func loadScripts(t *testing.T, store *redis.Store) {
	t.Helper()
	ref := payment.Ref{Provider: "warm", Order: "up"}
	got, err := store.Claim(t.Context(), ref, request("a"))
	err = errors.Join(err,
		store.Renew(t.Context(), ref, got.Held, time.Minute),
		store.Verify(t.Context(), ref, got.Held, time.Second),
		store.Release(t.Context(), ref, got.Held))
	if err != nil {
		t.Fatal(err)
	}
}

func TestServerDown(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}})
	store := redis.New(client, redis.Options{})
	held := claim(t, store, "a", idempotency.Won).Held
	server.Stop()
	nothingKnown(t, store, "a")
	nothingKnown(t, store, "b")
	server.Restart() // appendfsync always: nothing is lost
	reach(t, client)
	if again := claim(t, store, "a", idempotency.Won); again.Held != held {
		t.Errorf("held %+v, after the restart %+v", held, again.Held)
	}
	if err := store.Release(t.Context(), order, held); err != nil {
		t.Fatal(err)
	}
	server.Kill9()
	nothingKnown(t, store, "b")
	server.Restart()
	reach(t, client)
	if got := claim(t, store, "b", idempotency.Won); got.Held.Fence != held.Fence+1 {
		t.Errorf("after the crash: %+v", got)
	}
}

// TestServerFrozen gives up on a server that may have taken the request, and finds out afterwards.
func TestServerFrozen(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}})
	store := redis.New(client, redis.Options{})
	loadScripts(t, store)
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if got, err := store.Claim(ctx, order, request("a")); err == nil || got.Outcome != 0 {
		t.Errorf("claim: %+v, %v", got, err)
	}
	nothingKnown(t, store, "a")
	server.Continue()
	reach(t, client)
	claim(t, store, "a", idempotency.Won)
	claim(t, store, "b", idempotency.Busy)
}

// TestServerForgets: claims are gone, the store works on, and an owner from before is lost.
func TestServerForgets(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	before := claim(t, store, "a", idempotency.Won).Held
	server.FlushAll()
	if err := store.Renew(t.Context(), order, before, time.Minute); !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("renew: %v", err)
	}
	now := claim(t, store, "b", idempotency.Won)
	if !now.Held.First() {
		t.Errorf("after the flush: %+v", now)
	}
	// The fence began again, so it is the same number: the owner makes the difference.
	if err := store.Renew(t.Context(), order, before, time.Minute); !errors.Is(err, idempotency.ErrLost) {
		t.Errorf("renew: %v", err)
	}
	if err := store.Release(t.Context(), order, before); err != nil {
		t.Errorf("release: %v", err)
	}
	claim(t, store, "c", idempotency.Busy) // the late owner gave back nothing of another's
	server.FlushAll()
	if err := store.Release(t.Context(), order, now.Held); err != nil {
		t.Errorf("release: %v", err)
	}
}

// A lease that no worker asks for is over: of a forged record, or of a server whose clock was set back since.
func TestALeaseWithoutEndIsOver(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	lease := request("b").Lease
	for name, c := range map[string]struct {
		left time.Duration
		want idempotency.Outcome
	}{
		"of one with a longer lease": {9 * lease, idempotency.Busy},
		"of nobody":                  {max(11*lease, 61*time.Minute), idempotency.Won},
		"in ten years":               {87_600 * time.Hour, idempotency.Won},
	} {
		server.FlushAll()
		claim(t, store, "a", idempotency.Won)
		server.MustDo(fmt.Sprintf("HSET %s:{%s:%s} lease_until %d", redis.DefaultPrefix, order.Provider, order.Order, time.Now().Add(c.left).UnixMilli()))
		if got, err := store.Claim(t.Context(), order, request("b")); err != nil || got.Outcome != c.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestReplica asks a server that became a replica, and knows the claim, but may be behind.
func TestReplica(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	claim(t, store, "a", idempotency.Won)
	server.MustDo("REPLICAOF 127.0.0.1 1") // no server listens there
	nothingKnown(t, store, "a")
	nothingKnown(t, store, "b")
	if got, err := store.Claim(t.Context(), order, request("b")); err == nil || !strings.Contains(err.Error(), "READONLY") {
		t.Errorf("claim: %+v, %v", got, err)
	}
	server.MustDo("REPLICAOF NO ONE")
	claim(t, store, "b", idempotency.Busy)
}

// TestServerFull: a server without memory takes no new claim, and lets the claims that it has end.
func TestServerFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	held := claim(t, store, "a", idempotency.Won).Held
	server.MustDo("CONFIG SET maxmemory 1")
	other := payment.Ref{Provider: order.Provider, Order: "D-2"}
	if got, err := store.Claim(t.Context(), other, request("a")); err == nil || !strings.Contains(err.Error(), "OOM") {
		t.Errorf("claim: %+v, %v", got, err)
	}
	if err := store.Renew(t.Context(), order, held, time.Minute); err != nil {
		t.Errorf("renew: %v", err)
	}
	if err := store.Release(t.Context(), order, held); err != nil {
		t.Errorf("release: %v", err)
	}
	server.MustDo("CONFIG SET maxmemory 0")
	if got, err := store.Claim(t.Context(), other, request("b")); err != nil || got.Held.Fence != 1 {
		t.Errorf("the refused claim was made: %+v, %v", got, err)
	}
	if got := claim(t, store, "b", idempotency.Won); got.Held.Fence != held.Fence+1 {
		t.Errorf("released on a full server: %+v", got)
	}
}

// TestWrongNode asks a node of a Cluster that does not own the slot, without following it.
func TestWrongNode(t *testing.T) {
	t.Parallel()
	server := redistest.StartCluster(t)
	server.MustDo("CLUSTER DELSLOTSRANGE 0 16383")
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	nothingKnown(t, store, "a")
	if _, err := store.Claim(t.Context(), order, request("a")); err == nil || !strings.Contains(err.Error(), "CLUSTERDOWN") {
		t.Errorf("claim: %v", err)
	}
}

// TestRefusals sends the errors of a server that cannot serve, as bytes.
func TestRefusals(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	claim(t, store, "a", idempotency.Won)
	for _, refusal := range []string{
		"LOADING Redis is loading the dataset in memory",
		"READONLY You can't write against a read only replica.",
		"MOVED 3999 127.0.0.1:1",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
		"OOM command not allowed when used memory > 'maxmemory'.",
		"NOAUTH Authentication required.",
		"NOPERM this user has no permissions to run the 'evalsha' command",
		"ERR unknown command 'evalsha'",
	} {
		t.Run(strings.Fields(refusal)[0], func(t *testing.T) {
			server.SetError(refusal)
			nothingKnown(t, store, "a")
			nothingKnown(t, store, "b")
		})
	}
	server.SetError("")
	claim(t, store, "b", idempotency.Busy)
}

// TestRecordOfAnOlderVersion: what else a record holds, a fingerprint or a payment, says nothing any more.
func TestRecordOfAnOlderVersion(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	server.HSet("payonce:claim:{teemopay-kr:D-1}", "fingerprint", "f-2", "owner", "b", "fence", "4", "lease_until", "0",
		"retention", "3600000", "sequence", "7", "snapshot", "{}", "done_by", "4 b")
	if got := claim(t, store, "a", idempotency.Won); got.Held.Fence != 5 {
		t.Errorf("claim: %+v", got)
	}
}

// TestDamagedRecord finds at the key what no claim wrote.
func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	const key = "payonce:claim:{teemopay-kr:D-1}"
	for name, write := range map[string]func(){
		"another type": func() { _ = server.Set(key, "x") },
		"a lease text": func() { server.HSet(key, "lease_until", "soon") },
		"a fence text": func() { server.HSet(key, "fence", "high") },
	} {
		t.Run(name, func(t *testing.T) {
			server.FlushAll()
			write()
			got, err := store.Claim(t.Context(), order, request("a"))
			if err == nil || errors.Is(err, idempotency.ErrLost) || got.Outcome != 0 {
				t.Errorf("claim: %+v, %v", got, err)
			}
		})
	}
}

// TestRecordLives reads how long the server keeps the key after each change: as long as was asked for since the claim was given
// back last, and never less than the lease.
func TestRecordLives(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store := redis.New(connect(t, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	const key = "payonce:claim:{teemopay-kr:D-1}"
	lives := func(after string, want time.Duration, err error) {
		t.Helper()
		if err != nil || server.TTL(key) != want {
			t.Errorf("after %s: %v, and it lives %s; want %s", after, err, server.TTL(key), want)
		}
		server.FastForward(time.Second)
	}
	got, err := store.Claim(t.Context(), order, request("a"))
	lives("claim", hour, err)
	lives("renew", hour, store.Renew(t.Context(), order, got.Held, time.Minute))
	lives("renew for longer", 2*hour, store.Renew(t.Context(), order, got.Held, 2*hour))
	lives("release", hour, store.Release(t.Context(), order, got.Held))
	longer := request("b")
	longer.Retention = 3 * hour
	got, err = store.Claim(t.Context(), order, longer)
	lives("claim for longer", 3*hour, err)
	lives("release", 3*hour, store.Release(t.Context(), order, got.Held))
	got, err = store.Claim(t.Context(), order, request("c"))
	lives("claim for shorter, once it was given back", hour, err)
	lives("release", hour, store.Release(t.Context(), order, got.Held))
	if keys := server.Keys(); len(keys) != 1 || keys[0] != key {
		t.Errorf("the server has the keys %q", keys)
	}
}

// A record of an order that has ended is kept for the retention, so there are as many as orders: with its key it needs at most 200 bytes
// of a Redis server.
func TestRecordOfAnEndedOrderIsSmall(t *testing.T) {
	t.Parallel()
	const orders, most = 5_000, 200
	server := redistest.Start(t)
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}})
	store := redis.New(client, redis.Options{})
	used := func() int {
		t.Helper()
		text, err := client.Info(t.Context(), "memory").Result()
		if err != nil {
			t.Fatal(err)
		}
		var n int
		_, after, _ := strings.Cut(text, "used_memory:")
		if _, err := fmt.Sscan(after, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	play := func(prefix string, n int) {
		t.Helper()
		for i := range n {
			ref := payment.Ref{Provider: "teemopay-kr", Order: fmt.Sprintf("%s-20261130-%07d", prefix, i)}
			got, err := store.Claim(t.Context(), ref, request("0193a5d2-7f3c-7a11-b7d0-000000000001"))
			if err == nil {
				err = store.Release(t.Context(), ref, got.Held)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	play("W", 100) // scripts and buffers are there
	before := used()
	play("D", orders)
	each := (used() - before) / orders
	t.Logf("%d bytes", each)
	if each > most {
		t.Errorf("a record needs %d bytes, at most %d are allowed", each, most)
	}
}

func BenchmarkClaimRelease(b *testing.B) {
	server := redistest.Start(b)
	store := redis.New(connect(b, redis.Config{Addresses: []string{server.Addr()}}), redis.Options{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ref := payment.Ref{Provider: "bench", Order: fmt.Sprintf("D-%d", i)}
		got, err := store.Claim(b.Context(), ref, request("a"))
		if err == nil {
			err = store.Release(b.Context(), ref, got.Held)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
