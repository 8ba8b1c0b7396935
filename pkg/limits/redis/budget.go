// Package redis keeps the budget of calls that all workers share in Redis 5 or newer, in one key for each
// provider. Every request is one Lua script on that key, counted by the server's clock. A request that
// go-redis repeats because its reply was lost takes a second place: the provider is then called less, never
// more.
package redis

import (
	"context"
	_ "embed" // the script
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"payonce/pkg/limits"
)

//go:embed reserve.lua
var reserveSource string

var reserveScript = goredis.NewScript(reserveSource)

// DefaultPrefix begins the keys of budgets.
const DefaultPrefix = "payonce:rate"

// maxTimeout is the longest timeout. A budget that reaches further ahead has seen its server's clock set
// back, and begins again.
const maxTimeout = time.Hour

// Budget is a [limits.Budget] in Redis. It is safe for concurrent use.
type Budget struct{ client goredis.UniversalClient }

var _ limits.Budget = (*Budget)(nil)

// New returns a budget on a client that the caller closes. It asks nothing of the server.
func New(client goredis.UniversalClient) *Budget { return &Budget{client} }

// Reserve implements [limits.Budget]. No caller waits for longer than an hour.
func (b *Budget) Reserve(ctx context.Context, name string, r limits.Rate, timeout time.Duration) (wait time.Duration, ok bool, err error) {
	reply, err := reserveScript.Run(ctx, b.client, []string{DefaultPrefix + ":{" + name + "}"},
		r.Interval().Microseconds(), r.Burst, min(timeout, maxTimeout).Microseconds()).Int64Slice()
	switch {
	case err != nil:
		return 0, false, fmt.Errorf("redis: reserve a call of %s: %w", name, err)
	case len(reply) != 2:
		return 0, false, fmt.Errorf("redis: reserve a call of %s: the script answered %v", name, reply)
	}
	return time.Duration(reply[1]) * time.Microsecond, reply[0] == 1, nil
}
