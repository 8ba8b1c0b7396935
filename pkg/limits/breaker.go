package limits

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// probePause bounds how long a call must wait that comes while others are trying whether the
// provider is back.
const probePause = 5 * time.Second

// gateSlack is how much later than the gate's own time a call is let through, because that must have passed.
const gateSlack = time.Millisecond

// errNotCalled says that nothing was learned about the provider.
var errNotCalled = errors.New("no call was made")

// breaker stops the calls of one provider.
type breaker struct {
	Breaker
	gate *gobreaker.TwoStepCircuitBreaker[struct{}]
	// mu is held while the gate is read or changed, and caller is who does it: a change of its state is then logged
	// with the caller's trace.
	mu     sync.Mutex
	caller context.Context
	// again is when an open breaker lets calls through, in Unix nanoseconds.
	again atomic.Int64
}

// newBreaker returns a closed breaker that opens after calls that failed. changed is called with each new state.
func newBreaker(name string, config Breaker, now func() time.Time, failed func(error) bool, changed func(ctx context.Context, from, to gobreaker.State)) *breaker {
	b := &breaker{Breaker: config, caller: context.Background()}
	b.gate = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: uint32(config.Probes), Timeout: config.OpenFor,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return int64(c.ConsecutiveFailures) >= int64(config.Failures) },
		IsSuccessful: func(err error) bool { return !failed(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, errNotCalled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.again.Store(now().Add(config.OpenFor + gateSlack).UnixNano())
			}
			changed(b.caller, from, to)
		},
	})
	return b
}

// by does something with the gate for a caller. The gate changes its state only within such a call.
func (b *breaker) by(ctx context.Context, do func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.caller = ctx
	defer func() { b.caller = context.Background() }()
	do()
}

// Enter asks whether a call of the provider makes sense now. If it does, done must be called once: with
// called and the call's error when a call was made, and with false when none was. If the provider is not
// available ok is false, and again says when to ask again. ctx holds the trace that the log names when the
// breaker opens or closes.
func (l *Limits) Enter(ctx context.Context, name string) (done func(called bool, err error), again time.Time, ok bool) {
	p := l.providers[name]
	if p == nil {
		return func(bool, error) {}, time.Time{}, true
	}
	if p.breaker == nil {
		return p.done, time.Time{}, true
	}
	if done, again, ok = p.breaker.enter(ctx, l.now); !ok {
		l.metrics.refusedCall(ctx, name)
	}
	return done, again, ok
}

// enter asks the gate for one call.
func (b *breaker) enter(ctx context.Context, now func() time.Time) (done func(called bool, err error), again time.Time, ok bool) {
	var report func(error)
	var err error
	b.by(ctx, func() { report, err = b.gate.Allow() })
	switch {
	case err == nil:
		return func(called bool, err error) {
			if !called {
				err = errNotCalled
			}
			b.by(ctx, func() { report(err) })
		}, time.Time{}, true
	case errors.Is(err, gobreaker.ErrOpenState):
		again = time.Unix(0, b.again.Load())
		if latest := now().Add(b.OpenFor + gateSlack); again.After(latest) { // the clock was set back
			again = latest
		}
	default: // others are trying
		again = now().Add(min(b.OpenFor, probePause))
	}
	return nil, again, false
}

// Unavailable reports whether a call's error says that the provider cannot do its work now: nothing reached
// it, nothing usable came back, its server failed, or it asks to come back later. What a provider decides
// about one payment, and every other answer, shows that it is there.
func Unavailable(err error) bool {
	if err == nil {
		return false
	}
	failed := connectors.Classify(err)
	switch failed.Class {
	case connectors.Throttled:
		return true
	case connectors.NotSent:
		return failed.Code == payment.ReasonUnreachable
	case connectors.InDoubt:
		return failed.Claimed == connectors.Throttled || failed.Code == payment.ReasonNoAnswer || strings.HasPrefix(failed.ProviderCode, "http_5")
	}
	return false
}

// stateChanged logs the new state for people. The metric shows what the log may not keep.
func (l *Limits) stateChanged(ctx context.Context, name string, from, to gobreaker.State) {
	l.metrics.breakerIs(ctx, name, to)
	switch to {
	case gobreaker.StateOpen:
		l.log.WarnContext(ctx, "provider unavailable: calls are paused", "provider", name, "breaker", stateNames[to], "was", stateNames[from],
			"next", "nothing if it is short: payments are parked and retried automatically; see payctl parked list --provider "+name)
	case gobreaker.StateClosed:
		l.log.InfoContext(ctx, "provider available again", "provider", name, "breaker", stateNames[to], "was", stateNames[from])
	}
}

var stateNames = map[gobreaker.State]string{
	gobreaker.StateClosed: "closed", gobreaker.StateHalfOpen: "half_open", gobreaker.StateOpen: "open",
}
