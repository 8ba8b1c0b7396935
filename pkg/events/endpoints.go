package events

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// StreamEndpoints holds events of payments that an endpoint did not take, until their next attempt. It exists where endpoints
// are configured.
const StreamEndpoints = "ENDPOINTS"

// Headers of an event in [StreamEndpoints].
const (
	HeaderAttempts     = "Payonce-Attempts"      // how often it was sent to the endpoint
	HeaderFirstAttempt = "Payonce-First-Attempt" // when for the first time, RFC 3339
)

// EndpointDeadLetters matches the dead letters of all endpoints.
const EndpointDeadLetters = "deadletter.endpoints.*"

// EndpointConsumer is the durable consumer of an endpoint, in PAYMENTS and in ENDPOINTS.
func EndpointConsumer(endpoint string) string { return "endpoint-" + endpoint }

// EndpointEvent is an event of the log on its way to an endpoint.
type EndpointEvent struct {
	Endpoint string
	payment.Ref
	Sequence uint64 // in PAYMENTS
}

// The second tokens of the subjects of ENDPOINTS.
const (
	endpoint        = "endpoint"
	endpointDue     = "due"
	endpointWaiting = "waiting"
)

// Due is where the event waits to be sent, e.g. "endpoint.due.shop.teemopay-kr.D-1.4711".
func (e EndpointEvent) Due() string { return e.subject(endpointDue) }

// Waiting is where the broker holds the event until its next attempt.
func (e EndpointEvent) Waiting() string { return e.subject(endpointWaiting) }

func (e EndpointEvent) subject(where string) string {
	return join(endpoint, where, e.Endpoint, e.Provider, e.Order, strconv.FormatUint(e.Sequence, 10))
}

// EndpointBacklog is what an endpoint has not taken.
type EndpointBacklog struct {
	// New events of the log were not sent yet; those that are Due were, and are to be sent again now. Those that the broker holds
	// until their next attempt are not counted.
	New, Due int
	// Disabled says that an operator has events wait until the endpoint is enabled.
	Disabled bool
}

// EndpointDueFilter matches the events that wait to be sent to an endpoint, "*" for any.
func EndpointDueFilter(name string) string { return join(endpoint, endpointDue, name, "*", "*", "*") }

// EndpointWaitingFilter matches the events that the broker holds for an endpoint, "*" for any.
func EndpointWaitingFilter(name string) string {
	return join(endpoint, endpointWaiting, name, "*", "*", "*")
}

// ParseEndpointEvent reads a subject of ENDPOINTS.
func ParseEndpointEvent(subject string) (EndpointEvent, bool) {
	if !strings.HasPrefix(subject, endpoint+".") { // most are not: they are not taken apart
		return EndpointEvent{}, false
	}
	tokens := strings.Split(subject, ".")
	if len(tokens) != 6 || tokens[1] != endpointDue && tokens[1] != endpointWaiting {
		return EndpointEvent{}, false
	}
	sequence, err := strconv.ParseUint(tokens[5], 10, 64)
	e := EndpointEvent{Endpoint: tokens[2], Ref: payment.Ref{Provider: tokens[3], Order: tokens[4]}, Sequence: sequence}
	return e, err == nil && payment.ValidProvider(e.Endpoint) && e.Ref.Validate() == nil
}

// EndpointAttempts returns how often a message was sent to its endpoint, and when for the first time: zero for an event that
// comes from the log.
func EndpointAttempts(h Header) (attempts int, first time.Time) {
	attempts, err := strconv.Atoi(h.Get(HeaderAttempts))
	if err != nil || attempts < 0 {
		attempts = 0
	}
	first, err = time.Parse(time.RFC3339Nano, h.Get(HeaderFirstAttempt))
	if err != nil {
		return attempts, time.Time{}
	}
	return attempts, first
}

// EndpointTestSubject is where payctl asks a notifier to send a test event to an endpoint, "*" for any.
func EndpointTestSubject(name string) string { return join(endpoint, "test", name) }

// EndpointTest is what came of a test event. The JSON is on the wire and only ever added to.
type EndpointTest struct {
	ID        string  `json:"id"` // its webhook-id
	Delivered bool    `json:"delivered"`
	Status    int     `json:"status,omitempty"`  // of HTTP; 0 where there was no answer
	Problem   string  `json:"problem,omitempty"` // why it was not delivered
	Seconds   float64 `json:"seconds"`           // how long the request took
}

// ErrNoNotifier says that no notifier runs, or that this user may not ask one.
var ErrNoNotifier = errors.New("no notifier answers")

// EndpointState is how an endpoint stands at the broker. The JSON is that of payctl, and only ever added to.
type EndpointState struct {
	Disabled bool `json:"disabled"`
	// New events of the log were not sent yet; those that are Due were, and are sent again as soon as there is room; Waiting ones
	// have another attempt at NextAt or later.
	New     int       `json:"new"`
	Due     int       `json:"due"`
	Waiting int       `json:"waiting"`
	NextAt  time.Time `json:"next_at,omitzero"`
	// DeadLetters are those of the endpoint.
	DeadLetters int `json:"dead_letters"`
}

// EndpointTestType is the CloudEvents type of a test event.
const EndpointTestType = "endpoint.test"

// EncodeEndpointTest returns a test event. Its data is {"test":true,"endpoint":"shop"}: no payment has these fields.
func EncodeEndpointTest(name, id string, at time.Time) Outgoing {
	data, _ := json.Marshal(struct {
		Test     bool   `json:"test"`
		Endpoint string `json:"endpoint"`
	}{true, name}) // no error: a bool and a string
	attributes := Attributes{ID: id, Source: Source, Type: EndpointTestType, Subject: name, Time: at, ContentType: contentJSON}
	return Outgoing{Header: attributes.header(), Data: data}
}
