package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
	"payonce/test/redistest"
)

// gate is a hook of go-redis that holds single commands back, and counts those that go together.
type gate struct {
	open    chan struct{}
	entered chan struct{}
	before  func() // called before several go together

	mu      sync.Mutex
	batches []int
}

func (g *gate) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (g *gate) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if cmd.Name() == "evalsha" {
			select {
			case g.entered <- struct{}{}:
			default:
			}
			<-g.open
		}
		return next(ctx, cmd)
	}
}

func (g *gate) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if cmds[0].Name() == "evalsha" { // else the greeting of a new connection
			g.mu.Lock()
			g.batches = append(g.batches, len(cmds))
			g.mu.Unlock()
			g.before()
		}
		return next(ctx, cmds)
	}
}

// crowd is a store on a real server whose requests on the way wait at a gate.
type crowd struct {
	t      *testing.T
	server *redistest.Server
	store  *Store
	gate   *gate
	firsts sync.WaitGroup
}

func newCrowd(t *testing.T) *crowd {
	t.Helper()
	c := &crowd{t: t, server: redistest.Start(t), gate: &gate{open: make(chan struct{}), entered: make(chan struct{}, roundTrips), before: func() {}}}
	const generous = 30 * time.Second // the machine may be slow
	client, err := NewClient(Config{Addresses: []string{c.server.Addr()}, DialTimeout: generous, ReadTimeout: generous, WriteTimeout: generous})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	c.store = New(client, Options{})
	for i := range 3 { // what the server knows before: another number of owners for each order
		for range i + 1 {
			got, err := c.store.Claim(t.Context(), refOf(i), requestOf("before"))
			if err == nil {
				err = c.store.Release(t.Context(), refOf(i), got.Held)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	client.AddHook(c.gate)
	return c
}

func refOf(i int) payment.Ref {
	return payment.Ref{Provider: "teemopay-kr", Order: fmt.Sprintf("D-%d", i)}
}

func requestOf(owner string) idempotency.Request {
	return idempotency.Request{Owner: owner, Lease: time.Minute, Retention: time.Hour}
}

// fill lets requests go until the next must wait.
func (c *crowd) fill() {
	for i := range roundTrips {
		c.firsts.Go(func() {
			if _, err := c.store.Claim(c.t.Context(), refOf(1000+i), requestOf("first")); err != nil {
				c.t.Error(err)
			}
		})
		select {
		case <-c.gate.entered:
		case <-time.After(time.Minute):
			c.t.Fatal("a request that finds nobody else is not sent at once")
		}
	}
}

// await waits until so many scripts wait for their turn.
func (c *crowd) await(n int) {
	c.t.Helper()
	c.until(fmt.Sprint(n, " scripts wait"), func(t *batcher) bool { return len(t.waiting) == n })
}

func (c *crowd) until(what string, holds func(*batcher) bool) {
	c.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for {
		c.store.batcher.mu.Lock()
		held := holds(c.store.batcher)
		c.store.batcher.mu.Unlock()
		if held {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatal("it does not come to this: ", what)
		}
	}
}

// claims asks for orders 0, 1 and 2, each for several owners at once, and for nothing else.
func (c *crowd) claims(owners int) (all *sync.WaitGroup, won func() map[payment.Ref]idempotency.Claim) {
	var mu sync.Mutex
	winners, all := map[payment.Ref]idempotency.Claim{}, &sync.WaitGroup{}
	for i := range 3 {
		for owner := range owners {
			all.Go(func() {
				got, err := c.store.Claim(c.t.Context(), refOf(i), requestOf(fmt.Sprint("owner", owner)))
				if err != nil {
					c.t.Errorf("claim %s: %v", refOf(i), err)
				}
				if got.Outcome != idempotency.Won {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if _, twice := winners[refOf(i)]; twice {
					c.t.Errorf("%s was won twice", refOf(i))
				}
				winners[refOf(i)] = got
			})
		}
	}
	return all, func() map[payment.Ref]idempotency.Claim { return winners }
}

// TestTogether: what comes while requests are under way goes in one, and each caller gets its own reply.
func TestTogether(t *testing.T) {
	t.Parallel()
	for name, forgetful := range map[string]bool{"known scripts": false, "unknown scripts": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrowd(t)
			if forgetful {
				c.gate.before = func() { c.firsts.Wait(); c.server.MustDo("SCRIPT FLUSH") }
			}
			c.fill()
			all, won := c.claims(5)
			c.await(15)
			close(c.gate.open)
			all.Wait()
			c.firsts.Wait()
			for i := range 3 {
				if got := won()[refOf(i)]; got.Held.Fence != int64(i+2) {
					t.Errorf("%s: %+v", refOf(i), got)
				}
			}
			if len(c.gate.batches) != 1 || c.gate.batches[0] != 15 {
				t.Errorf("requests with %d scripts, want one with 15", c.gate.batches)
			}
		})
	}
}

// TestTogetherBounded: no request holds more than maxBatch scripts, and none is forgotten.
func TestTogetherBounded(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.fill()
	all, _ := c.claims(maxBatch)
	c.await(3 * maxBatch)
	close(c.gate.open)
	all.Wait()
	c.firsts.Wait()
	total := 0
	for _, n := range c.gate.batches {
		if total += n; n > maxBatch {
			t.Errorf("a request with %d scripts", n)
		}
	}
	if total != 3*maxBatch {
		t.Errorf("%d scripts were sent", total)
	}
	c.until("no request is under way", func(t *batcher) bool { return t.busy == 0 && len(t.waiting) == 0 })
}

// TestTogetherImpatient: whose context ends does not wait for the others, and is not sent.
func TestTogetherImpatient(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.fill()
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	failed := make(chan error, 1)
	go func() {
		_, err := c.store.Claim(ctx, refOf(7), requestOf("impatient"))
		failed <- err
	}()
	c.await(1)
	all, won := c.claims(1)
	c.await(4)
	cancel(gone)
	select {
	case err := <-failed:
		if !errors.Is(err, gone) {
			t.Errorf("claim: %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("a caller whose context ended waits for the requests of others")
	}
	close(c.gate.open)
	all.Wait()
	c.firsts.Wait()
	if len(won()) != 3 {
		t.Errorf("the others won %d of 3", len(won()))
	}
	if got := c.server.MustDo("EXISTS payonce:claim:{teemopay-kr:D-7}"); got != "0" {
		t.Errorf("what nobody waits for was sent: EXISTS says %s", got)
	}
}

// TestTogetherRefused: a refusal reaches each caller, and the server is asked again by a new connection when
// the old one leads to a replica.
func TestTogetherRefused(t *testing.T) {
	t.Parallel()
	c := newCrowd(t)
	c.server.MustDo("REPLICAOF 127.0.0.1 1") // no server listens there
	failed := make(chan error, 4)
	for i := range roundTrips {
		go func() { _, err := c.store.Claim(t.Context(), refOf(1000+i), requestOf("first")); failed <- err }()
		<-c.gate.entered
	}
	for i := range 2 {
		go func() { _, err := c.store.Claim(t.Context(), refOf(i), requestOf("second")); failed <- err }()
	}
	c.await(2)
	close(c.gate.open)
	for range 4 {
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "READONLY") {
			t.Errorf("claim on a replica: %v", err)
		}
	}
}

// TestTogetherTimeout: a request lasts as long as the most patient of its callers.
func TestTogetherTimeout(t *testing.T) {
	short, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	long, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	want, _ := long.Deadline()
	ctx, cancel := timeout([]*call{{ctx: short}, {ctx: long}, {ctx: short}})
	defer cancel()
	if got, ok := ctx.Deadline(); !ok || !got.Equal(want) {
		t.Errorf("deadline %v, want %v", got, want)
	}
	ctx, cancel = timeout([]*call{{ctx: short}, {ctx: context.Background()}})
	defer cancel()
	if got, ok := ctx.Deadline(); ok {
		t.Errorf("deadline %v beside a caller who has none", got)
	}
}
