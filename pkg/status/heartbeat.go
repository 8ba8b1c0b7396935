package status

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Heartbeat is what a process says of itself every few seconds. It holds no secret and nothing of a customer.
type Heartbeat struct {
	ID            string    `json:"id"`      // new with each start
	Service       string    `json:"service"` // worker, ingress, archive or notifier
	Process       string    `json:"process"` // as NATS and the logs show it, e.g. "worker@host:4711"
	Host          string    `json:"host"`
	Version       string    `json:"version"`
	Configuration string    `json:"configuration"` // digest of what this service reads of it; secrets and the addresses that it listens on left out
	StartedAt     time.Time `json:"started_at"`
	At            time.Time `json:"at"`
	// Slots is how many messages it works on at most, and InFlight how many it does.
	Slots    int   `json:"slots,omitempty"`
	InFlight int64 `json:"in_flight"`
	// NotReady says why it cannot work; empty when it can.
	NotReady string `json:"not_ready,omitempty"`
	Clock    *Clock `json:"clock,omitempty"` // nil before it was measured
	// Failures are the last errors of what it depends on, by name: nats, redis.
	Failures  map[string]Failure        `json:"failures,omitempty"`
	Providers map[string]ProviderHealth `json:"providers,omitempty"`
	// Endpoints are from a notifier.
	Endpoints map[string]EndpointHealth `json:"endpoints,omitempty"`
	// Levels and Open are from a process that reads the whole system; nil from others.
	Levels map[string]events.Level `json:"levels,omitempty"`
	Open   *Summary                `json:"open,omitempty"`
}

// Clock is how a machine's clock is, compared with NATS's.
type Clock struct {
	Difference  float64 `json:"difference_seconds"` // more than 0: ahead
	Uncertainty float64 `json:"uncertainty_seconds"`
}

// Failure is an error and when it came.
type Failure struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"`
}

// The states of a circuit breaker.
const (
	BreakerClosed   = "closed"
	BreakerHalfOpen = "half_open"
	BreakerOpen     = "open"
)

// ProviderHealth is how a worker gets on with a provider.
type ProviderHealth struct {
	Breaker  string    `json:"breaker,omitempty"` // empty: it has none
	CallsAt  time.Time `json:"calls_at,omitzero"` // when an open breaker lets calls through
	Refused  []string  `json:"refused,omitempty"` // ways of paying for which the provider refuses our account, with its code
	LastFail *Failure  `json:"last_failure,omitempty"`
}

// EndpointHealth is how a notifier gets on with an endpoint.
type EndpointHealth struct {
	Breaker string    `json:"breaker"`
	TriesAt time.Time `json:"tries_at,omitzero"` // when an open breaker lets a request through
	// New events of the log were not sent yet, those that are Due are to be sent again now; null where that could not be read.
	New *int `json:"new"`
	Due *int `json:"due"`
	// Disabled says that an operator has its events wait.
	Disabled    bool              `json:"disabled,omitempty"`
	DeliveredAt time.Time         `json:"delivered_at,omitzero"` // when the endpoint took an event last
	Failures    []EndpointFailure `json:"failures,omitempty"`    // the last ones, newest first
}

// EndpointFailure is a request that an endpoint did not take.
type EndpointFailure struct {
	Failure
	Provider string         `json:"provider"`
	Order    string         `json:"order"`
	Status   payment.Status `json:"status"`
}

// failureText is how much of an error is shown.
const failureText = 300

// FailureOf makes an error fit to be shown: one line.
func FailureOf(at time.Time, err error) Failure {
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "?"))
	if cut := []rune(text); len(cut) > failureText {
		text = string(cut[:failureText]) + "…"
	}
	return Failure{At: at.UTC(), Error: text}
}

// Encode returns the heartbeat as it is published.
func (h Heartbeat) Encode() ([]byte, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("heartbeat: %w", err)
	}
	return data, nil
}

// DecodeHeartbeat reads a heartbeat. Fields that it does not know are from a newer version.
func DecodeHeartbeat(data []byte) (Heartbeat, error) {
	var h Heartbeat
	if err := json.Unmarshal(data, &h); err != nil {
		return Heartbeat{}, fmt.Errorf("heartbeat: %w", err)
	}
	return h, nil
}
