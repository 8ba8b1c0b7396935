package sandbox

import (
	"slices"
	"time"
)

// Operation is what an order is about.
type Operation string

// The operations.
const (
	Deposit Operation = "deposit"
	Payout  Operation = "payout"
)

// State is what became of an order at the provider.
type State string

// The states. An order that was asked about but never accepted is Unknown.
const (
	Unknown  State = "unknown"
	Pending  State = "pending"
	Paid     State = "paid"
	Failed   State = "failed"
	Refunded State = "refunded"
)

// Order is the whole truth about one order number of an account. Amounts are ISO 4217 minor units of the
// config's currency (won, or cents of the New Taiwan dollar), as everywhere in this package.
type Order struct {
	Provider string `json:"provider"`
	Order    string `json:"order"`
	// State is the state of the last charge.
	State State `json:"state"`
	// Creates and Queries count all requests; Requests keeps the first of them, see [MaxKept].
	Creates  int       `json:"creates"`
	Queries  int       `json:"queries"`
	Requests []Request `json:"requests"`
	// Charges are the create requests that were accepted. More than one is a double charge.
	Charges   []Charge   `json:"charges"`
	Movements []Movement `json:"movements"`
	Callbacks []Callback `json:"callbacks"`
}

// MaxKept is how many requests of one order, deliveries of one callback, and requests without a readable
// order are kept. Further requests are counted, not kept.
const MaxKept = 256

// Request is one request of the merchant.
type Request struct {
	At     time.Time `json:"at"`
	Action string    `json:"action"` // create, query, or the protocol's own word
	// Outcome is received while the request is worked on, then accepted, refused, or answered (a query).
	Outcome Outcome `json:"outcome"`
	// Reason says why a request was refused, e.g. "bad_signature".
	Reason string `json:"reason,omitempty"`
	// Faults that acted on this request.
	Faults []FaultName `json:"faults,omitempty"`
	// Reply is the HTTP status that was sent, or 0 when the connection was dropped.
	Reply int `json:"reply"`
}

// Outcome is what the provider did with a request.
type Outcome string

// The outcomes of requests.
const (
	Received Outcome = "received"
	Accepted Outcome = "accepted"
	Refused  Outcome = "refused"
	Answered Outcome = "answered"
)

// Charge is one accepted create request: the provider will move money for it, or wait for it.
type Charge struct {
	Serial      int64     `json:"serial"`
	Reference   string    `json:"reference"` // the provider's number of the order
	Operation   Operation `json:"operation"`
	Amount      int64     `json:"amount"` // as ordered
	Method      string    `json:"method,omitempty"`
	CallbackURL string    `json:"callback_url,omitempty"`
	At          time.Time `json:"at"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	State       State     `json:"state"`
	// Stage is what a pending charge waits for; empty where the provider does not report it.
	Stage Stage `json:"stage,omitempty"`
	// Failure is why the state is Failed.
	Failure     Failure   `json:"failure,omitzero"`
	CompletedAt time.Time `json:"completed_at,omitzero"`
	// Details are what the protocol wants to remember of the request. Never written to.
	Details map[string]string `json:"details,omitempty"`

	next     Stage   // is reported to the merchant next
	doom     Failure // how it will end
	deferred bool    // see Create
}

// Failure says in general words why no money moved; the protocol has its own codes for it.
type Failure string

// The failures.
const (
	DeclinedByBank Failure = "declined"
	ChannelError   Failure = "channel"
	FailedByHand   Failure = "by_hand"
	LimitExceeded  Failure = "limit"         // the amount is outside the provider's limits
	NotClarified   Failure = "not_clarified" // the merchant did not send what was asked for
)

// Movement is money that moved.
type Movement struct {
	Serial    int64     `json:"serial"`
	Reference string    `json:"reference"`
	Charge    string    `json:"charge"` // the reference of its charge
	Kind      State     `json:"kind"`   // Paid or Refunded
	Amount    int64     `json:"amount"`
	At        time.Time `json:"at"`
}

// Callback is one notification to the merchant, with every attempt to do so.
type Callback struct {
	Charge     string     `json:"charge"`
	Movement   string     `json:"movement,omitempty"`
	State      State      `json:"state"`
	Stage      Stage      `json:"stage,omitempty"` // what the merchant has to do, when the state is pending
	Deliveries []Delivery `json:"deliveries"`
	// Acknowledged counts the deliveries that the merchant took.
	Acknowledged int  `json:"acknowledged"`
	Lost         bool `json:"lost,omitempty"`     // never sent: the fault lost-callback, or no address
	Abandoned    bool `json:"given_up,omitempty"` // not acknowledged within the allowed attempts
}

// Delivery is one attempt of a callback and what came back.
type Delivery struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"` // 0 when there was no answer
	Answer string    `json:"answer,omitempty"`
	Error  string    `json:"error,omitempty"`
}

// clone returns a deep copy for readers.
func (o Order) clone() Order {
	o.Requests = slices.Clone(o.Requests)
	for i := range o.Requests {
		o.Requests[i].Faults = slices.Clone(o.Requests[i].Faults)
	}
	o.Charges = slices.Clone(o.Charges)
	o.Movements = slices.Clone(o.Movements)
	o.Callbacks = slices.Clone(o.Callbacks)
	for i := range o.Callbacks {
		o.Callbacks[i].Deliveries = slices.Clone(o.Callbacks[i].Deliveries)
	}
	return o
}
