package limits

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// account is a breaker that opens while a provider refuses our account for one way of paying. One order alone never
// opens it, however often it is tried: what a customer typed can make a provider answer with a code of the account,
// and must not stop the payments of all others. Two orders in a row do.
type account struct {
	*breaker
	// These are guarded by the breaker's mu.
	open    bool   // until a request was taken; one at a time finds out
	refused string // the order of the last refusal; empty when a request was taken since
	told    bool   // people were told, with this code
	code    string
}

// accounts holds the breakers by provider and way. The zero value is ready. It is safe for concurrent use.
type accounts struct{ byWay sync.Map } // wayOf → *account

type wayOf struct{ provider, way string }

func (l *Limits) account(of wayOf) *account {
	if known, ok := l.accounts.byWay.Load(of); ok {
		return known.(*account)
	}
	config := Breaker{Failures: math.MaxInt, Probes: 1} // never opens
	if p := l.providers[of.provider]; p != nil && p.accountPause > 0 {
		config.Failures, config.OpenFor = 1, p.accountPause
	}
	a := &account{}
	a.breaker = newBreaker(of.provider, config, l.now, misconfigured, func(ctx context.Context, _, to gobreaker.State) {
		a.open = to != gobreaker.StateClosed
		if to == gobreaker.StateOpen {
			l.log.WarnContext(ctx, "requests to pay are paused: the provider refuses our account", "provider", of.provider, "way", of.way, "provider_code", a.code)
		}
	})
	known, _ := l.accounts.byWay.LoadOrStore(of, a)
	return known.(*account)
}

// EnterAccount asks whether a request to pay an order makes sense now in a way of paying of its provider, e.g.
// "deposit/va". While the provider refuses our account for it ok is false, and again says when to ask again.
// Otherwise done must be called once: with called and the request's error when one was made, and with false when
// none was.
func (l *Limits) EnterAccount(ctx context.Context, ref payment.Ref, way string) (done func(called bool, err error), again time.Time, ok bool) {
	of := wayOf{ref.Provider, way}
	a := l.account(of)
	report, again, ok := a.enter(ctx, l.now)
	if !ok {
		return nil, again, false
	}
	return func(called bool, err error) {
		heard := called && !Unavailable(err) // who gives no answer says nothing of our account
		if heard {
			heard = l.heardOfAccount(ctx, of, a, ref.Order, err)
		}
		report(heard, err)
	}, time.Time{}, true
}

// heardOfAccount notes what a request's answer says of our account, logs what is new for people, and reports whether
// the breaker must count it.
func (l *Limits) heardOfAccount(ctx context.Context, of wayOf, a *account, order string, err error) (counts bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !misconfigured(err) {
		a.refused = ""
		l.tellAccount(ctx, of, a, false, a.code)
		return true
	}
	counts = a.open || a.refused != "" && a.refused != order
	a.refused = order
	l.tellAccount(ctx, of, a, true, connectors.Classify(err).ProviderCode)
	return counts
}

// tellAccount logs for people that the provider refuses our account by a code, or takes it again.
func (l *Limits) tellAccount(ctx context.Context, of wayOf, a *account, refused bool, code string) {
	if a.told == refused && a.code == code {
		return
	}
	if a.told { // also when it is refused by another code now
		l.metrics.accountIs(ctx, of, a.code, 0)
	}
	if refused {
		l.metrics.accountIs(ctx, of, code, 1)
		l.log.ErrorContext(ctx, "the provider refuses our account", "provider", of.provider, "way", of.way, "provider_code", code,
			"next", "correct the settings of the account, or ask the provider to; payments wait and then continue automatically")
	} else {
		l.log.InfoContext(ctx, "the provider accepts our account again", "provider", of.provider, "way", of.way, "provider_code", code)
	}
	a.told, a.code = refused, code
}

// misconfigured reports whether a request's error says that the provider refuses our account.
func misconfigured(err error) bool {
	if err == nil {
		return false
	}
	failed := connectors.Classify(err)
	return failed.Class == connectors.Misconfigured || failed.Claimed == connectors.Misconfigured
}
