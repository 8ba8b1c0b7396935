package events

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// StreamEndpoints stores events that could not be delivered to an endpoint, until their next attempt. It exists only where endpoints
// are configured.
const StreamEndpoints = "ENDPOINTS"

// Headers of an event in [StreamEndpoints].
const (
	HeaderAttempts     = "Payonce-Attempts"      // number of delivery attempts so far
	HeaderFirstAttempt = "Payonce-First-Attempt" // time of the first attempt, RFC 3339
)

// EndpointDeadLetters matches the dead letters of all endpoints.
const EndpointDeadLetters = "deadletter.endpoints.*"

// EndpointConsumer is the durable consumer of an endpoint, in PAYMENTS and in ENDPOINTS.
func EndpointConsumer(endpoint string) string { return "endpoint-" + endpoint }

// EndpointEvent is an event of the log that is to be delivered to an endpoint.
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

// Due is the subject of an event that is due to be sent again, e.g. "endpoint.due.shop.teemopay-kr.D-1.4711".
func (e EndpointEvent) Due() string { return e.subject(endpointDue) }

// Waiting is the subject under which the broker keeps the event, as a scheduled message, until its next attempt.
func (e EndpointEvent) Waiting() string { return e.subject(endpointWaiting) }

func (e EndpointEvent) subject(where string) string {
	return join(endpoint, where, e.Endpoint, e.Provider, e.Order, strconv.FormatUint(e.Sequence, 10))
}

// EndpointBacklog counts the events that an endpoint has not accepted yet.
type EndpointBacklog struct {
	// New counts events of the log that were never sent, and Due those that failed before and are due again. Events whose next attempt
	// is scheduled for later are not counted.
	New, Due int
	// Disabled says that an operator has disabled the endpoint. Its events wait until it is enabled.
	Disabled bool
}

// EndpointDueFilter matches the events that are due to be sent again to an endpoint. The name "*" matches all endpoints.
func EndpointDueFilter(name string) string { return join(endpoint, endpointDue, name, "*", "*", "*") }

// EndpointWaitingFilter matches the events that are scheduled for a later attempt. The name "*" matches all endpoints.
func EndpointWaitingFilter(name string) string {
	return join(endpoint, endpointWaiting, name, "*", "*", "*")
}

// ParseEndpointEvent reads a subject of ENDPOINTS.
func ParseEndpointEvent(subject string) (EndpointEvent, bool) {
	if !strings.HasPrefix(subject, endpoint+".") { // most subjects have nothing to do with endpoints, so they are not split
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

// EndpointAttempts returns the number of delivery attempts of a message and the time of the first one. Both are zero for an event that
// was read from the log.
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

// EndpointTestSubject is the subject on which payctl asks a notifier to send a test event to an endpoint. The name "*" matches all endpoints.
func EndpointTestSubject(name string) string { return join(endpoint, "test", name) }

// EndpointTest is the result of a test event. It is sent as JSON, to which fields are only ever added.
type EndpointTest struct {
	ID        string  `json:"id"` // its webhook-id
	Delivered bool    `json:"delivered"`
	Status    int     `json:"status,omitempty"`  // of HTTP; 0 where there was no answer
	Problem   string  `json:"problem,omitempty"` // why it was not delivered
	Seconds   float64 `json:"seconds"`           // how long the request took
}

// ErrNoNotifier says that no notifier runs, or that this user has no permission to ask one.
var ErrNoNotifier = errors.New("no notifier answers")

// EndpointState is the state of an endpoint in the broker. payctl prints it as JSON, to which fields are only ever added.
type EndpointState struct {
	Disabled bool `json:"disabled"`
	// New counts events of the log that were never sent, Due those that failed before and are sent again as soon as a slot is free, and
	// Waiting those whose next attempt is at NextAt or later.
	New     int       `json:"new"`
	Due     int       `json:"due"`
	Waiting int       `json:"waiting"`
	NextAt  time.Time `json:"next_at,omitzero"`
	// DeadLetters counts the dead letters of the endpoint.
	DeadLetters int `json:"dead_letters"`
}

// EndpointTestType is the CloudEvents type of a test event.
const EndpointTestType = "endpoint.test"

// EncodeEndpointTest returns a test event. Its data is {"test":true,"endpoint":"shop"}: no payment has these fields.
func EncodeEndpointTest(name, id string, at time.Time) Outgoing {
	data, _ := json.Marshal(struct {
		Test     bool   `json:"test"`
		Endpoint string `json:"endpoint"`
	}{true, name}) // a bool and a string cannot fail
	attributes := Attributes{ID: id, Source: Source, Type: EndpointTestType, Subject: name, Time: at, ContentType: contentJSON}
	return Outgoing{Header: attributes.header(), Data: data}
}
