package status

import (
	"slices"
	"time"
)

// shownFailures is how many failures of an endpoint are shown, of all notifiers together.
const shownFailures = 5

// Endpoint is how the notifiers get on with an endpoint, the worst of them first.
type Endpoint struct {
	// Breaker is the worst state that a notifier says, and empty where none says one.
	Breaker string
	TriesAt time.Time // when an open one lets a request through
	// DeliveredAt is when the endpoint took an event last, as far as running notifiers know.
	DeliveredAt time.Time
	Failures    []EndpointFailure // newest first
}

// EndpointOf puts together what the notifiers say of an endpoint.
func (r Report) EndpointOf(name string) (e Endpoint) {
	order := []string{"", BreakerClosed, BreakerHalfOpen, BreakerOpen}
	for _, p := range r.Processes {
		health, knows := p.Endpoints[name]
		if p.Service != ServiceNotifier || !knows {
			continue
		}
		if slices.Index(order, health.Breaker) > slices.Index(order, e.Breaker) {
			e.Breaker = health.Breaker
		}
		if health.TriesAt.After(e.TriesAt) {
			e.TriesAt = health.TriesAt
		}
		if health.DeliveredAt.After(e.DeliveredAt) {
			e.DeliveredAt = health.DeliveredAt
		}
		e.Failures = append(e.Failures, health.Failures...)
	}
	slices.SortStableFunc(e.Failures, func(x, y EndpointFailure) int { return y.At.Compare(x.At) })
	e.Failures = e.Failures[:min(len(e.Failures), shownFailures)]
	return e
}
