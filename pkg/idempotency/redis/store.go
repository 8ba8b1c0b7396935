// Package redis keeps claims in Redis 5 or newer, or in a compatible server: one node,
// Sentinel or Cluster. Beside it only pkg/limits/redis sends commands to Redis.
//
// Each order has one key, a hash that ends by itself:
//
//	fence        grows by one with every new owner
//	owner        who holds the order, or held it until the lease ended
//	lease_until  server time in ms
//	retention    ms that the key lives after each change: the longest that was asked for since the claim was
//	             given back last
//
// A claim that was given back leaves the fence alone, which is 181 bytes of Redis 7 with a key of 46.
//
// Every change is one Lua script on that one key, and leases are counted by the server's clock. All
// scripts may be repeated with the same arguments, because go-redis does so by itself when a reply is
// lost.
package redis

import (
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/idempotency"
	"payonce/pkg/payment"
)

var (
	//go:embed claim.lua
	claimSource string
	//go:embed renew.lua
	renewSource string
	//go:embed verify.lua
	verifySource string
	//go:embed release.lua
	releaseSource string

	claimScript   = goredis.NewScript(claimSource)
	renewScript   = goredis.NewScript(renewSource)
	verifyScript  = goredis.NewScript(verifySource)
	releaseScript = goredis.NewScript(releaseSource)
)

// DefaultPrefix begins the keys of claims.
const DefaultPrefix = "payonce:claim"

// Options of a Store.
type Options struct {
	// Prefix begins every key; empty takes DefaultPrefix. It has no braces, because they would move
	// the hash tag.
	Prefix string
}

// Validate reports a prefix that cannot be.
func (o Options) Validate() error {
	if strings.ContainsAny(o.Prefix, "{}") {
		return errors.New("redis: the key prefix must not have braces")
	}
	return nil
}

// Store is an [idempotency.Store] in Redis. It is safe for concurrent use. An error that is not
// [idempotency.ErrLost] says nothing about the claim: the request may have been executed or not.
type Store struct {
	client  goredis.UniversalClient
	batcher *batcher // nil for a Cluster, in which a node that hangs would hold up the others
	prefix  string
}

var _ idempotency.Store = (*Store)(nil)

// New returns a Store on a client, see [NewClient], which the caller closes. It asks nothing of the
// server. It panics on options that do not validate.
func New(client goredis.UniversalClient, options Options) *Store {
	if err := options.Validate(); err != nil {
		panic(err)
	}
	if options.Prefix == "" {
		options.Prefix = DefaultPrefix
	}
	s := &Store{client: client, prefix: options.Prefix}
	if one, ok := client.(*goredis.Client); ok {
		s.batcher = &batcher{client: one}
	}
	return s
}

// key names the claim of an order. The hash tag keeps everything of one order on one node of a Cluster.
func (s *Store) key(ref payment.Ref) string {
	return s.prefix + ":{" + ref.Provider + ":" + ref.Order + "}"
}

// Claim implements [idempotency.Store].
func (s *Store) Claim(ctx context.Context, ref payment.Ref, req idempotency.Request) (idempotency.Claim, error) {
	if err := errors.Join(ref.Validate(), req.Validate()); err != nil {
		return idempotency.Claim{}, fmt.Errorf("redis: claim: %w", err)
	}
	reply, err := s.run(ctx, claimScript, ref,
		req.Owner, req.Lease.Milliseconds(), req.Retention.Milliseconds()).StringSlice()
	if err != nil {
		return idempotency.Claim{}, fmt.Errorf("redis: claim %s: %w", ref, err)
	}
	claim, err := readClaim(reply, req.Owner)
	if err != nil {
		return idempotency.Claim{}, fmt.Errorf("redis: claim %s: %w", ref, err)
	}
	return claim, nil
}

// Renew implements [idempotency.Store]. A lease that ran out, and that no other owner took, is renewed too.
func (s *Store) Renew(ctx context.Context, ref payment.Ref, held idempotency.Held, lease time.Duration) error {
	if err := errors.Join(ref.Validate(), held.Validate(), idempotency.ValidateLease(lease)); err != nil {
		return fmt.Errorf("redis: renew: %w", err)
	}
	return s.change(ctx, "renew", renewScript, ref, held, lease.Milliseconds())
}

// Verify implements [idempotency.Store].
func (s *Store) Verify(ctx context.Context, ref payment.Ref, held idempotency.Held, left time.Duration) error {
	if err := errors.Join(ref.Validate(), held.Validate(), idempotency.ValidateLease(left)); err != nil {
		return fmt.Errorf("redis: verify: %w", err)
	}
	return s.change(ctx, "verify", verifyScript, ref, held, left.Milliseconds())
}

// Release implements [idempotency.Store].
func (s *Store) Release(ctx context.Context, ref payment.Ref, held idempotency.Held) error {
	if err := errors.Join(ref.Validate(), held.Validate()); err != nil {
		return fmt.Errorf("redis: release: %w", err)
	}
	err := s.change(ctx, "release", releaseScript, ref, held)
	if errors.Is(err, idempotency.ErrLost) {
		return nil
	}
	return err
}

// change runs a script that begins with owner and fence, and that answers 1 for done, 0 for lost and -1 for a record
// that is gone.
func (s *Store) change(ctx context.Context, operation string, script *goredis.Script, ref payment.Ref, held idempotency.Held, args ...any) error {
	args = append([]any{held.Owner, held.Fence}, args...)
	done, err := s.run(ctx, script, ref, args...).Int64()
	switch {
	case err != nil:
		return fmt.Errorf("redis: %s %s: %w", operation, ref, err)
	case done == 1:
		return nil
	case done == -1:
		return fmt.Errorf("redis: %s %s: no such record", operation, ref)
	case done == 0:
		return fmt.Errorf("redis: %s %s: %w", operation, ref, idempotency.ErrLost)
	}
	return fmt.Errorf("redis: %s %s: the script answered %d", operation, ref, done)
}

// run is the only place that asks the server to change something: one script, one key. A server that
// does not know the script (restarted, flushed) is sent its text.
func (s *Store) run(ctx context.Context, script *goredis.Script, ref payment.Ref, args ...any) *goredis.Cmd {
	if s.batcher != nil {
		return s.batcher.run(ctx, script, []string{s.key(ref)}, args)
	}
	return script.Run(ctx, s.client, []string{s.key(ref)}, args...)
}

// readClaim reads the answer of claim.lua. What it does not know is an error, never a "go ahead".
func readClaim(reply []string, owner string) (idempotency.Claim, error) {
	switch {
	case len(reply) == 2 && reply[0] == "won":
		fence, err := strconv.ParseInt(reply[1], 10, 64)
		if err == nil && fence < 1 {
			err = errors.New("its fence is not positive")
		}
		if err != nil {
			return idempotency.Claim{}, fmt.Errorf("the record is damaged: %w", err)
		}
		return idempotency.Claim{Outcome: idempotency.Won, Held: idempotency.Held{Owner: owner, Fence: fence}}, nil
	case len(reply) == 2 && reply[0] == "busy":
		wait, err := strconv.ParseInt(reply[1], 10, 64)
		if err != nil {
			return idempotency.Claim{}, fmt.Errorf("the record is damaged: %w", err)
		}
		return idempotency.Claim{Outcome: idempotency.Busy, Wait: time.Duration(wait) * time.Millisecond}, nil
	}
	return idempotency.Claim{}, fmt.Errorf("the script answered %d unknown fields", len(reply))
}
