package limits

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"payonce/pkg/connectors"
)

// Health is how this worker gets on with a provider.
type Health struct {
	Breaker string    // closed, half_open or open; empty where there is none
	CallsAt time.Time // when an open breaker lets calls through
	// Refused are the ways of paying for which the provider refuses our account, each with the provider's code.
	Refused []string
	// LastFailure is the last call that found the provider unavailable, with its class and codes and none of its text; nil when
	// there was none.
	LastFailure *Failure
}

// Failure is a call that found a provider unavailable.
type Failure struct {
	At   time.Time
	What string // e.g. "not_sent provider_unreachable"
}

// lastFailure remembers the last failure of one provider.
type lastFailure struct{ atomic.Pointer[Failure] }

// note takes an error down, if it says that the provider is unavailable, and reports whether it does.
func (f *lastFailure) note(now func() time.Time, err error) (unavailable bool) {
	if !Unavailable(err) {
		return false
	}
	failed := connectors.Classify(err)
	what := failed.Class.String() + " " + failed.Code
	if failed.ProviderCode != "" {
		what += " (" + failed.ProviderCode + ")"
	}
	f.Store(&Failure{At: now(), What: what})
	return true
}

// Health says how this worker gets on with each provider that has a policy.
func (l *Limits) Health() map[string]Health {
	all := map[string]Health{}
	for name, p := range l.providers {
		h := Health{LastFailure: p.failure.Load()}
		if b := p.breaker; b != nil {
			var state gobreaker.State
			b.by(context.Background(), func() { state = b.gate.State() })
			if h.Breaker = stateNames[state]; state == gobreaker.StateOpen {
				h.CallsAt = time.Unix(0, b.again.Load())
			}
		}
		all[name] = h
	}
	l.accounts.byWay.Range(func(key, value any) bool {
		of, a := key.(wayOf), value.(*account)
		a.mu.Lock()
		told, code := a.told, a.code
		a.mu.Unlock()
		if told {
			h := all[of.provider]
			h.Refused = append(h.Refused, of.way+" ("+code+")")
			slices.Sort(h.Refused)
			all[of.provider] = h
		}
		return true
	})
	return all
}
