package status

import (
	"cmp"
	"slices"
	"time"
)

// EndpointConfig is what the configuration says of an endpoint.
type EndpointConfig struct {
	Name     string
	Upstream string // empty for an endpoint that gets the payments of every upstream
}

// Endpoint is the state of an endpoint to which notifiers send webhooks.
type Endpoint struct {
	Name     string `json:"name"`
	Upstream string `json:"upstream,omitempty"`
	// Breaker is the best state that a notifier's breaker has: one that reaches the endpoint is enough. It is empty while no
	// notifier says how it is.
	Breaker string    `json:"breaker,omitempty"`
	TriesAt time.Time `json:"tries_at,omitzero"` // when an open one lets a request through
	// New events of the log were not sent yet, those that are Due are to be sent again now; null where that is not known.
	New         *int              `json:"new"`
	Due         *int              `json:"due"`
	Disabled    bool              `json:"disabled,omitempty"`    // an operator has its events wait
	DeliveredAt time.Time         `json:"delivered_at,omitzero"` // when it took an event last, as far as living notifiers know
	Failures    []EndpointFailure `json:"failures,omitempty"`    // the last ones of all notifiers, newest first
}

// shownFailures is how many failures of an endpoint are shown.
const shownFailures = 5

// EndpointOf returns the state of an endpoint; one without a breaker where no notifier knows it.
func (r Report) EndpointOf(name string) Endpoint {
	at := slices.IndexFunc(r.Endpoints, func(e Endpoint) bool { return e.Name == name })
	if at < 0 {
		return Endpoint{Name: name}
	}
	return r.Endpoints[at]
}

// endpointsOf returns the endpoints of the configuration, and those that notifiers know besides, by name.
func endpointsOf(configured []EndpointConfig, beats []Heartbeat) (all []Endpoint) {
	for _, c := range configured {
		all = append(all, Endpoint{Name: c.Name, Upstream: c.Upstream})
	}
	for _, h := range beats {
		if h.Service != ServiceNotifier {
			continue
		}
		for name, health := range h.Endpoints {
			at := slices.IndexFunc(all, func(e Endpoint) bool { return e.Name == name })
			if at < 0 {
				all, at = append(all, Endpoint{Name: name}), len(all)
			}
			all[at].add(health)
		}
	}
	slices.SortFunc(all, func(x, y Endpoint) int { return cmp.Compare(x.Name, y.Name) })
	return all
}

// add merges what one more notifier says.
func (e *Endpoint) add(h EndpointHealth) {
	order := []string{"", BreakerOpen, BreakerHalfOpen, BreakerClosed}
	switch better := slices.Index(order, h.Breaker) - slices.Index(order, e.Breaker); {
	case better > 0:
		e.Breaker, e.TriesAt = h.Breaker, h.TriesAt
	case better == 0 && h.TriesAt.Before(e.TriesAt):
		e.TriesAt = h.TriesAt
	}
	e.New, e.Due = larger(e.New, h.New), larger(e.Due, h.Due)
	e.Disabled = e.Disabled || h.Disabled
	if h.DeliveredAt.After(e.DeliveredAt) {
		e.DeliveredAt = h.DeliveredAt
	}
	e.Failures = append(slices.Clone(e.Failures), h.Failures...)
	slices.SortStableFunc(e.Failures, func(x, y EndpointFailure) int { return y.At.Compare(x.At) })
	e.Failures = e.Failures[:min(len(e.Failures), shownFailures)]
}

// larger returns the larger of two numbers that may be unknown.
func larger(x, y *int) *int {
	if x == nil || y != nil && *y > *x {
		return y
	}
	return x
}

// noNotifier is the warning that clients with an endpoint may see.
const noNotifier = "no notifier lives: endpoints get nothing"

// unserved warns of endpoints to which no living process sends.
func (a *assembly) unserved(beats []Heartbeat) {
	lives := slices.ContainsFunc(beats, func(h Heartbeat) bool { return h.Service == ServiceNotifier })
	if len(a.Endpoints) > 0 && !lives {
		a.warn(noNotifier)
		return
	}
	for _, e := range a.report.Endpoints {
		if e.Breaker == "" {
			a.warn("no notifier sends to the endpoint %s: restart it with the present configuration", e.Name)
		}
	}
}
