package redis_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/idempotency"
	"payonce/pkg/idempotency/redis"
	"payonce/pkg/payment"
)

// TestOneKey: a script that touches a key that is not declared, or two keys, fails on a Cluster of
// several nodes, which no test here has.
func TestOneKey(t *testing.T) {
	server := miniredis.RunT(t)
	client := connect(t, redis.Config{Addresses: []string{server.Addr()}})
	var seen requests
	client.AddHook(&seen)
	loadScripts(t, redis.New(client, redis.Options{}))
	scripts := make(map[any]bool)
	for _, args := range seen.sent {
		if name := args[0]; name == "hello" { // of a new connection
			continue
		} else if name != "evalsha" && name != "eval" {
			t.Fatalf("the store sent %q", name)
		}
		scripts[args[1]] = true
		if args[2] != 1 || args[3] != "payonce:claim:{warm:up}" {
			t.Errorf("%v has %v keys, the first is %q", args[0], args[2], args[3])
		}
	}
	if len(scripts) != 8 { // four by hash, and four by text because the server did not know them
		t.Errorf("%d different scripts were sent", len(scripts))
	}
}

func TestScriptsTouchOneKey(t *testing.T) {
	files, err := filepath.Glob("*.lua")
	if err != nil || len(files) != 5 {
		t.Fatalf("scripts %q, %v", files, err)
	}
	call := regexp.MustCompile(`redis\.p?call\(([^,)]*)(?:, ([^,)]*))?`)
	keys := regexp.MustCompile(`KEYS\b(\[1\])?`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		calls := call.FindAllStringSubmatch(string(source), -1)
		if len(calls) < 2 {
			t.Errorf("%s: only %d calls were found", file, len(calls))
		}
		for _, c := range calls {
			if c[1] != "'TIME'" && c[2] != "KEYS[1]" {
				t.Errorf("%s: %s touches %q", file, c[0], c[2])
			}
		}
		for _, k := range keys.FindAllString(string(source), -1) {
			if k != "KEYS[1]" {
				t.Errorf("%s uses %s", file, k)
			}
		}
	}
}

// requests is a go-redis hook that keeps what is sent.
type requests struct{ sent [][]any }

func (r *requests) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (r *requests) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		r.sent = append(r.sent, cmd.Args())
		return next(ctx, cmd)
	}
}

func (r *requests) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}

// twos answers scripts with a number that no script of ours knows.
type twos struct{ requests }

func (twos) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		err := next(ctx, cmd)
		if script, ok := cmd.(*goredis.Cmd); ok && err == nil {
			script.SetVal(int64(2))
		}
		return err
	}
}

// TestAnAnswerNobodyKnows is neither done nor lost.
func TestAnAnswerNobodyKnows(t *testing.T) {
	client := connect(t, redis.Config{Addresses: []string{miniredis.RunT(t).Addr()}})
	client.AddHook(&twos{})
	err := redis.New(client, redis.Options{}).Renew(t.Context(), payment.Ref{Provider: "acme", Order: "o-1"}, idempotency.Held{Owner: "a", Fence: 1}, time.Second)
	if err == nil || errors.Is(err, idempotency.ErrLost) {
		t.Errorf("got %v", err)
	}
}

// refusals are the errors of all requests, those included that a client makes by itself.
type refusals struct{ all []error }

func (r *refusals) note(err error) error {
	if err != nil {
		r.all = append(r.all, err)
	}
	return err
}

func (r *refusals) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (r *refusals) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error { return r.note(next(ctx, cmd)) }
}

func (r *refusals) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error { return r.note(next(ctx, cmds)) }
}

// TestANewConnectionIsNotRefusedAnything: payctl status shows what Redis refused a worker last, so a request that a client
// makes by itself must not be among it. miniredis refuses what servers before Redis 7.2 do not know.
func TestANewConnectionIsNotRefusedAnything(t *testing.T) {
	client := connect(t, redis.Config{Addresses: []string{miniredis.RunT(t).Addr()}})
	var seen refusals
	client.AddHook(&seen)
	if err := client.Ping(t.Context()).Err(); err != nil || len(seen.all) > 0 {
		t.Errorf("ping: %v; refused: %v", err, seen.all)
	}
}
