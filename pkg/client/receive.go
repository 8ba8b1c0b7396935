package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"payonce/pkg/events"
)

// ErrNotSigned is returned by [Receiver.Read] for a request that payonce has not signed with one of the secrets, or more than five
// minutes ago. Answer it with 401.
var ErrNotSigned = errors.New("client: the webhook is not signed by payonce")

// maxEvent bounds the body of a webhook, in bytes: more than an event of the log can have.
const maxEvent = 1 << 20

// Event is an event of a payment, from NATS or from a webhook of payonce.
type Event struct {
	// ID is the same however often the event is delivered. Book each once.
	ID string
	// Payment is as it stood after the event; its Revision grows with each event of one payment.
	Payment Payment
	// Test says that a person sends it to try the endpoint; it is about no payment.
	Test bool
}

// DecodeEvent reads an event of the stream PAYMENTS from the header and the data of its message. An event of a version or with a status
// that is not known here is an error: do not acknowledge it, so that it comes again once this program is updated.
func DecodeEvent(header map[string][]string, data []byte) (Event, error) {
	h := events.Header(header)
	if version, schema := h.Get("ce-specversion"), h.Get("ce-dataschema"); version != "1.0" || schema != events.PaymentSchemaID {
		return Event{}, fmt.Errorf("client: CloudEvents %q with the schema %q are not known here", version, schema)
	}
	e, err := decode(h.Get("ce-id"), data)
	if kind := h.Get("ce-type"); err == nil && kind != events.PaymentType(e.Payment.Status) {
		return Event{}, fmt.Errorf("client: the event is a %q, and its payment is %s", kind, e.Payment.Status)
	}
	return e, err
}

func decode(id string, data []byte) (Event, error) {
	p, err := events.DecodePayment(data)
	if err != nil {
		return Event{}, fmt.Errorf("client: %w", err)
	}
	if id == "" || p.Revision < 1 {
		return Event{}, errors.New("client: the event has no id or no revision")
	}
	return Event{ID: id, Payment: events.DataOf(p)}, nil
}

// Receiver reads the signed webhooks of payonce (Standard Webhooks). It is safe for concurrent use.
type Receiver struct {
	verifiers []*standardwebhooks.Webhook
}

// NewReceiver returns a receiver of webhooks that are signed with one of the secrets, "whsec_…": two while one takes the place of the other.
func NewReceiver(secrets ...string) (*Receiver, error) {
	if len(secrets) == 0 {
		return nil, errors.New("client: a receiver needs a secret")
	}
	r := &Receiver{}
	for i, secret := range secrets {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return nil, fmt.Errorf("client: secret %d is not whsec_ and base64", i+1) // the cause could show it
		}
		r.verifiers = append(r.verifiers, verifier)
	}
	return r, nil
}

// Read verifies a request and returns its event. Answer 2xx only when it is stored, for then it does not come again; after any other
// error than [ErrNotSigned] answer 500: the event comes again for three days. An event can come more than once, and after a later one:
// its ID says that it was there, and the Revision of its payment what is newer.
func (r *Receiver) Read(request *http.Request) (Event, error) {
	body, err := io.ReadAll(io.LimitReader(request.Body, maxEvent+1))
	if err != nil {
		return Event{}, fmt.Errorf("client: webhook: %w", err)
	}
	if len(body) > maxEvent || !r.signed(body, request.Header) {
		return Event{}, ErrNotSigned
	}
	id := request.Header.Get(standardwebhooks.HeaderWebhookID) // it is signed, other than the headers of CloudEvents
	var test struct {
		Test bool `json:"test"`
	}
	if err := json.Unmarshal(body, &test); err == nil && test.Test {
		return Event{ID: id, Test: true}, nil
	}
	return decode(id, body)
}

func (r *Receiver) signed(body []byte, header http.Header) bool {
	for _, verifier := range r.verifiers {
		if verifier.Verify(body, header) == nil {
			return true
		}
	}
	return false
}
