package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

const (
	// roundTrips is how many requests to the server are under way at once.
	roundTrips = 2
	// maxBatch bounds the scripts of one request: the server runs them in one go.
	maxBatch = 64
)

// batcher sends the scripts of concurrent callers in one request, which saves most of what a script costs
// client and server. It never waits for company: a script that finds no other is sent at once, and those
// that come while roundTrips requests are under way go together with the next.
type batcher struct {
	client *goredis.Client

	mu      sync.Mutex
	busy    int // requests under way
	waiting []*call
}

// call is one script on its way.
type call struct {
	ctx    context.Context
	script *goredis.Script
	keys   []string
	args   []any
	reply  *goredis.Cmd
	done   chan struct{} // closed when reply has come
}

// run runs a script. It returns when ctx ends, also while others' scripts go on.
func (t *batcher) run(ctx context.Context, script *goredis.Script, keys []string, args []any) *goredis.Cmd {
	t.mu.Lock()
	if t.busy < roundTrips && len(t.waiting) == 0 {
		t.busy++
		t.mu.Unlock()
		defer t.next()
		return script.Run(ctx, t.client, keys, args...)
	}
	c := &call{ctx: ctx, script: script, keys: keys, args: args, done: make(chan struct{})}
	t.waiting = append(t.waiting, c)
	t.mu.Unlock()
	select {
	case <-c.done:
	case <-ctx.Done():
		return failed(ctx)
	}
	// What the server refused is asked again alone: it may not know the script, or the connection may lead to
	// a replica, and go-redis does what is to be done for a single command only. Scripts may be repeated.
	if refused := goredis.Error(nil); errors.As(c.reply.Err(), &refused) && ctx.Err() == nil {
		return script.Run(ctx, t.client, keys, args...)
	}
	return c.reply
}

// next sends the scripts that came meanwhile, in a goroutine that ends when no caller waits.
func (t *batcher) next() {
	if batch := t.take(); len(batch) > 0 {
		go func() {
			for ; len(batch) > 0; batch = t.take() {
				send(t.client, batch)
			}
		}()
	}
}

// take returns those whose scripts go together now. When there are none, a request is no more under way.
func (t *batcher) take() []*call {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := min(len(t.waiting), maxBatch)
	if n == 0 {
		t.busy--
		return nil
	}
	batch := t.waiting[:n:n]
	if t.waiting = t.waiting[n:]; len(t.waiting) == 0 {
		t.waiting = nil
	}
	return batch
}

// send sends the scripts of those who still wait, and lasts no longer than the most patient of them.
func send(client *goredis.Client, batch []*call) {
	ctx, cancel := timeout(batch)
	defer cancel()
	pipe := client.Pipeline()
	for _, c := range batch {
		if c.ctx.Err() != nil { // its caller has gone
			c.reply = failed(c.ctx)
			continue
		}
		c.reply = c.script.EvalSha(ctx, pipe, c.keys, c.args...)
	}
	_, _ = pipe.Exec(ctx) // each reply has its error
	for _, c := range batch {
		close(c.done)
	}
}

func failed(ctx context.Context) *goredis.Cmd {
	cmd := goredis.NewCmd(ctx)
	cmd.SetErr(context.Cause(ctx))
	return cmd
}

// timeout returns a context that ends with the last of the callers' deadlines.
func timeout(batch []*call) (context.Context, context.CancelFunc) {
	ctx, last := context.WithoutCancel(batch[0].ctx), time.Time{}
	for _, c := range batch {
		deadline, ok := c.ctx.Deadline()
		if !ok {
			return context.WithCancel(ctx)
		}
		if deadline.After(last) {
			last = deadline
		}
	}
	return context.WithDeadline(ctx, last)
}
