package endpoints

import (
	"slices"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Health is how this process gets on with an endpoint. It holds no secret, and nothing that the endpoint answered but its status.
type Health struct {
	State string // closed, half-open or open
	// TriesAt is when an open breaker lets a request through.
	TriesAt time.Time
	// DeliveredAt is when the endpoint took an event last; zero if it has taken none since the start.
	DeliveredAt time.Time
	// Failures are the last requests that failed, newest first.
	Failures []Failure
	Backlog  *events.EndpointBacklog // as last measured; nil where it could not be
}

// Failure is a request that was not answered with 2xx.
type Failure struct {
	payment.Ref
	Status  payment.Status
	At      time.Time
	Problem string
}

// keptFailures is how many failures of an endpoint are remembered.
const keptFailures = 5

// history remembers what came of the last requests to an endpoint, and what waits for it. It is safe for concurrent use.
type history struct {
	mu sync.Mutex
	Health
}

func (h *history) note(p payment.Payment, came result, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if came.delivered() {
		h.DeliveredAt = at
		return
	}
	h.Failures = slices.Insert(h.Failures, 0, Failure{Ref: p.Ref, Status: p.Status, At: at, Problem: came.problem})
	h.Failures = h.Failures[:min(len(h.Failures), keptFailures)]
}

func (h *history) opened(state gobreaker.State, triesAt time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.TriesAt = time.Time{}
	if state == gobreaker.StateOpen {
		h.TriesAt = triesAt
	}
}

// waits notes what the endpoint has not taken; nil where that could not be measured.
func (h *history) waits(backlog *events.EndpointBacklog) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Backlog = backlog
}

func (h *history) health(state gobreaker.State) Health {
	h.mu.Lock()
	defer h.mu.Unlock()
	shown := h.Health
	shown.State, shown.Failures = state.String(), slices.Clone(h.Failures)
	return shown
}

// Health returns how this process gets on with each endpoint, by name.
func (n *Notifier) Health() map[string]Health {
	all := map[string]Health{}
	for name, r := range n.receivers {
		all[name] = r.history.health(r.breaker.gate.State())
	}
	return all
}
