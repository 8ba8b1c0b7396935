package endpoints

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Breaker says when no requests are sent to an endpoint that fails.
type Breaker struct {
	Failures int           // so many in a row open it
	OpenFor  time.Duration // then one request tries whether the endpoint is back
}

var errFailed = errors.New("not delivered")

// breaker lets requests through while an endpoint works, and one now and then while it does not.
type breaker struct {
	gate *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu      sync.Mutex
	changed chan struct{} // closed when the state changes
}

func newBreaker(name string, config Breaker, changed func(from, to gobreaker.State)) *breaker {
	b := &breaker{changed: make(chan struct{})}
	b.gate = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Timeout: config.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool { return int64(c.ConsecutiveFailures) >= int64(config.Failures) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			b.mu.Lock()
			close(b.changed)
			b.changed = make(chan struct{})
			b.mu.Unlock()
			changed(from, to)
		},
	})
	return b
}

// open reports whether requests are held back.
func (b *breaker) open() bool { return b.gate.State() != gobreaker.StateClosed }

// lookEvery is how often a waiting event looks whether the time of an open breaker is over, which no one announces.
const lookEvery = 250 * time.Millisecond

// enter waits until a request may be sent, until ctx ends. done must then be called once.
func (b *breaker) enter(ctx context.Context) (done func(delivered bool), ok bool) {
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		if report, err := b.gate.Allow(); err == nil {
			return func(delivered bool) {
				if delivered {
					report(nil)
				} else {
					report(errFailed)
				}
			}, true
		}
		timer := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, false
		case <-changed:
		case <-timer.C:
		}
		timer.Stop()
	}
}
