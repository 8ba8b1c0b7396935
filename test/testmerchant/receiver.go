package testmerchant

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"

	"payonce/pkg/client"
	"payonce/pkg/payment"
)

// Received is an event that an endpoint took.
type Received struct {
	ID       string         `json:"id"` // its webhook-id
	Provider string         `json:"provider,omitempty"`
	Order    string         `json:"order,omitempty"`
	Status   payment.Status `json:"status,omitempty"`
	Revision int            `json:"revision,omitempty"`
	Times    int            `json:"times"` // how often it came
}

// Webhooks are what a [Receiver] got.
type Webhooks struct {
	Received []Received `json:"received"` // in the order of their first arrival
	Refused  int        `json:"refused"`  // requests whose signature is not valid
	Odd      int        `json:"odd"`      // requests that are signed and cannot be read
}

// maxWebhooks bounds what a receiver keeps; more is refused.
const maxWebhooks = 100_000

// Receiver is the endpoint of a shop: it takes signed webhooks, and keeps in memory what it got, for tests to ask. It is safe for
// concurrent use.
type Receiver struct {
	verify *client.Receiver

	mu  sync.Mutex
	got Webhooks
	at  map[string]int // of an id, in got.Received
}

// NewReceiver returns a receiver of webhooks that are signed with a secret.
func NewReceiver(secret string) (*Receiver, error) {
	verify, err := client.NewReceiver(secret)
	if err != nil {
		return nil, err
	}
	return &Receiver{verify: verify, got: Webhooks{Received: []Received{}}, at: map[string]int{}}, nil
}

// ServeHTTP takes webhooks at /payonce, and shows at /received what came.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	switch request.Method + " " + request.URL.Path {
	case "GET /":
		w.WriteHeader(http.StatusOK)
	case "GET /received":
		r.show(w)
	case "POST /payonce":
		w.WriteHeader(r.take(request))
	default:
		http.NotFound(w, request)
	}
}

func (r *Receiver) show(w http.ResponseWriter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(r.got) // a client that is gone asks again
}

// take keeps an event and returns the answer's status.
func (r *Receiver) take(request *http.Request) (status int) {
	event, err := r.verify.Read(request)
	r.mu.Lock()
	defer r.mu.Unlock()
	at, known := r.at[event.ID]
	switch {
	case errors.Is(err, client.ErrNotSigned):
		r.got.Refused++
		return http.StatusUnauthorized
	case err != nil:
		r.got.Odd++
		return http.StatusInternalServerError
	case known:
		r.got.Received[at].Times++
		return http.StatusNoContent
	case len(r.got.Received) == maxWebhooks:
		return http.StatusInsufficientStorage
	}
	p := event.Payment
	r.at[event.ID] = len(r.got.Received)
	r.got.Received = append(r.got.Received, Received{ID: event.ID, Provider: p.Provider, Order: p.Order, Status: p.Status, Revision: p.Revision, Times: 1})
	return http.StatusNoContent
}

// Webhooks returns what the shop's endpoint got.
func (s *Shop) Webhooks(ctx context.Context) (Webhooks, error) {
	var got Webhooks
	err := s.call(ctx, http.MethodGet, s.Endpoint+"/received", "", http.StatusOK, &got)
	slices.SortStableFunc(got.Received, func(x, y Received) int {
		return cmp.Or(cmp.Compare(x.Provider, y.Provider), cmp.Compare(x.Order, y.Order), cmp.Compare(x.Revision, y.Revision))
	})
	return got, err
}
