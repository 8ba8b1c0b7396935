package endpoints

import (
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"payonce/pkg/events"
)

// Health is how this process gets on with one endpoint.
type Health struct {
	Breaker     string                  // closed, half_open or open
	RequestsAt  time.Time               // when an open breaker lets a request through; else zero
	Backlog     *events.EndpointBacklog // as last measured; nil where it could not be
	LastFailure *Failure                // nil where no request has failed
}

// Failure is a request that did not deliver its event.
type Failure struct {
	At   time.Time
	What string // e.g. "HTTP 503"; nothing of the URL or the answer
}

// seen is what was noted of an endpoint. It is safe for concurrent use.
type seen struct {
	backlog atomic.Pointer[events.EndpointBacklog]
	failure atomic.Pointer[Failure]
	again   atomic.Int64 // when the breaker that opened last lets a request through, in nanoseconds since 1970
}

// stateNames are the states of a breaker as they are reported.
var stateNames = map[gobreaker.State]string{
	gobreaker.StateClosed: "closed", gobreaker.StateHalfOpen: "half_open", gobreaker.StateOpen: "open",
}

// Health says how this process gets on with each endpoint, by name. It may be called at any time.
func (n *Notifier) Health() map[string]Health {
	all := map[string]Health{}
	for name, r := range n.receivers {
		state := r.breaker.gate.State()
		h := Health{Breaker: stateNames[state], Backlog: r.seen.backlog.Load(), LastFailure: r.seen.failure.Load()}
		if state == gobreaker.StateOpen {
			h.RequestsAt = time.Unix(0, r.seen.again.Load())
		}
		all[name] = h
	}
	return all
}
