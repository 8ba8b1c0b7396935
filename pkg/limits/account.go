package limits

import (
	"context"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"payonce/pkg/connectors"
)

// DefaultAccountPause is how long no request to pay is made in a way of paying for which the provider refused our
// account. Then one request finds out whether the account was put right.
const DefaultAccountPause = time.Minute

// account is a breaker that opens while a provider refuses our account for one way of paying.
type account struct {
	*breaker
	code string // the provider's code of the last refusal; guarded by the breaker's mu
}

// accounts holds the breakers by provider and way. The zero value is ready. It is safe for concurrent use.
type accounts struct{ byWay sync.Map } // wayOf → *account

type wayOf struct{ provider, way string }

func (l *Limits) account(of wayOf) *account {
	if known, ok := l.accounts.byWay.Load(of); ok {
		return known.(*account)
	}
	config := Breaker{Failures: 1, OpenFor: DefaultAccountPause, Probes: 1}
	if p := l.providers[of.provider]; p != nil && p.accountPause > 0 {
		config.OpenFor = p.accountPause
	}
	a := &account{}
	a.breaker = newBreaker(of.provider, config, l.now, misconfigured, func(ctx context.Context, _, to gobreaker.State) {
		l.accountChanged(ctx, of, a.code, to)
	})
	known, _ := l.accounts.byWay.LoadOrStore(of, a)
	return known.(*account)
}

// EnterAccount asks whether requests to pay in one way of paying of a provider, e.g. "deposit/va", make sense
// now. While the provider refuses our account for it ok is false, and again says when to ask again. Otherwise
// done must be called once: with called and the request's error when one was made, and with false when none was.
func (l *Limits) EnterAccount(ctx context.Context, provider, way string) (done func(called bool, err error), again time.Time, ok bool) {
	a := l.account(wayOf{provider, way})
	report, again, ok := a.enter(ctx, l.now)
	if !ok {
		return nil, again, false
	}
	return func(called bool, err error) {
		if called && misconfigured(err) {
			a.mu.Lock()
			a.code = connectors.Classify(err).ProviderCode
			a.mu.Unlock()
		}
		report(called && !Unavailable(err), err) // who gives no answer says nothing of our account
	}, time.Time{}, true
}

// misconfigured reports whether a request's error says that the provider refuses our account.
func misconfigured(err error) bool {
	return err != nil && connectors.ClassOf(err) == connectors.Misconfigured
}

// accountChanged tells people.
func (l *Limits) accountChanged(ctx context.Context, of wayOf, code string, to gobreaker.State) {
	switch to {
	case gobreaker.StateOpen:
		l.metrics.accountIs(ctx, of, code, 1)
		l.log.ErrorContext(ctx, "the provider refuses our account", "provider", of.provider, "way", of.way, "provider_code", code,
			"next", "correct the settings of the account, or ask the provider to; payments wait and go on by themselves afterwards")
	case gobreaker.StateClosed:
		l.metrics.accountIs(ctx, of, code, 0)
		l.log.InfoContext(ctx, "the provider takes our account again", "provider", of.provider, "way", of.way, "provider_code", code)
	}
}
