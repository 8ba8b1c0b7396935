// Package limits rate-limits calls and stops calling a provider that is down:
// for each provider a circuit breaker, which opens while the provider cannot be reached, and a budget of
// calls that all workers share.
//
// A breaker is one worker's own: each learns by itself that a provider is down, at the price of a few
// calls, and without the other workers. The budget is shared where there is a [Budget]; while that cannot
// be asked each worker has the whole rate to itself, because it does not know how many others there are.
package limits

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// Rate is how many calls of a provider may be made. The zero Rate limits nothing.
type Rate struct {
	Calls int           // in each Per
	Per   time.Duration // e.g. a second
	// Burst is how many of them may be made at once, at least 1.
	Burst int
}

// Interval is the time between two calls when the rate is used up.
func (r Rate) Interval() time.Duration { return r.Per / time.Duration(r.Calls) }

// Breaker says when calls are stopped. The zero Breaker never stops them.
type Breaker struct {
	// Failures is how many calls in a row must find the provider unavailable until it opens.
	Failures int
	// OpenFor is how long it lets no call through. Then it lets some through to see.
	OpenFor time.Duration
	// Probes is how many those are, and all of them must find the provider available.
	Probes int
}

// Policy is what one provider is spared.
type Policy struct {
	Rate    Rate
	Breaker Breaker
	// AccountPause is how long no request to pay is made after the provider refused our account for two
	// orders in a row; 0 pauses none.
	AccountPause time.Duration
}

// Budget is a budget of calls that all workers share. It is safe for concurrent use.
type Budget interface {
	// Reserve takes one call out of the budget of a name and returns how long it must wait. If that is
	// longer than timeout it takes nothing and ok is false. An error says nothing: the call may have
	// been taken or not.
	Reserve(ctx context.Context, name string, r Rate, timeout time.Duration) (wait time.Duration, ok bool, err error)
}

// Options of Limits. Now is required.
type Options struct {
	// Policies by provider. A provider without one is not limited.
	Policies map[string]Policy
	// Shared is the budget of all workers; nil gives each its own.
	Shared Budget
	Now    func() time.Time
	Logger *slog.Logger // nil discards
}

// Limits answers whether a provider may be called. It is safe for concurrent use.
type Limits struct {
	now       func() time.Time
	log       *slog.Logger
	metrics   *instruments
	providers map[string]*provider
	accounts  accounts
	shared    Budget
	// sharedDownUntil is when to ask the shared budget again after it failed, in Unix nanoseconds; 0 while
	// it answers.
	sharedDownUntil atomic.Int64
}

// provider is what is known about one of them.
type provider struct {
	rate    Rate
	local   *rate.Limiter
	breaker *breaker // nil: none
	// done takes the result of a call where there is no breaker.
	done    func(called bool, err error)
	failure lastFailure

	accountPause time.Duration // 0: none
}

// New returns limits. It returns every problem of the options, joined.
func New(o Options) (*Limits, error) {
	if o.Now == nil {
		return nil, errors.New("limits: Now is required")
	}
	metrics, err := newInstruments()
	problems := []error{err}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Limits{now: o.Now, log: o.Logger, metrics: metrics, providers: map[string]*provider{}, shared: o.Shared}
	for name, policy := range o.Policies {
		if err := policy.Validate(); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
			continue
		}
		p := &provider{rate: policy.Rate, accountPause: policy.AccountPause}
		if policy.Rate.Calls > 0 {
			p.local = rate.NewLimiter(rate.Every(policy.Rate.Interval()), policy.Rate.Burst)
		}
		p.done = func(called bool, err error) {
			if called {
				p.failure.note(l.now, err)
			}
		}
		if policy.Breaker.Failures > 0 {
			p.breaker = newBreaker(name, policy.Breaker, l.now, func(err error) bool { return p.failure.note(l.now, err) }, func(ctx context.Context, from, to gobreaker.State) {
				l.stateChanged(ctx, name, from, to)
			})
			l.metrics.breakerIs(context.Background(), name, gobreaker.StateClosed)
		}
		l.providers[name] = p
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("limits: %w", err)
	}
	return l, nil
}

// Validate returns every problem of a policy, joined.
func (p Policy) Validate() error {
	var problems []error
	if r := p.Rate; r.Calls < 0 || r.Calls > 0 && (r.Per <= 0 || r.Burst < 1) {
		problems = append(problems, errors.New("rate: calls must not be negative; with calls, per must be positive and burst at least 1"))
	} else if r.Calls > 0 && r.Interval() < time.Microsecond {
		problems = append(problems, errors.New("rate: more than 1,000,000 calls a second"))
	}
	if b := p.Breaker; b.Failures < 0 || b.Failures > 0 && (b.OpenFor <= 0 || b.Probes < 1) {
		problems = append(problems, errors.New("breaker: failures must not be negative; with failures, open_for must be positive and probes at least 1"))
	}
	if p.AccountPause < 0 {
		problems = append(problems, errors.New("account pause: must not be negative"))
	}
	return errors.Join(problems...)
}
