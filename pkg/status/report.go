package status

import (
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Report is the state of the system. What is null is not known, and Unknown says why.
type Report struct {
	At        time.Time  `json:"at"`
	Providers []Provider `json:"providers"`
	Processes []Process  `json:"processes"` // null where they cannot be asked
	// Endpoints are those to which webhooks are sent; left out where there are none.
	Endpoints []Endpoint `json:"endpoints,omitempty"`
	// Attention is what needs a person, oldest first; AttentionTotal is how much there is in all.
	Attention      []Item `json:"attention"`
	AttentionTotal *int   `json:"attention_total"`
	// Warnings say what keeps payonce itself from working as it should.
	Warnings []string `json:"warnings"`
	// Unknown says what could not be found out.
	Unknown []Unknown `json:"unknown"`
}

// Provider is the state of one provider.
type Provider struct {
	Name  string    `json:"name"`
	Hours []Opening `json:"hours"`
	Rate  *Rate     `json:"rate,omitempty"` // nil: calls are not limited
	// Breaker is null while no worker says how it is.
	Breaker *Breaker `json:"breaker"`
	// AccountRefused are the ways of paying for which the provider refuses our account, with its code.
	AccountRefused []string `json:"account_refused,omitempty"`
	LastFailure    *Failure `json:"last_failure,omitempty"`
	// Shared says that Queue and Payments are left out, because they count what other upstreams do at this provider, too.
	Shared bool `json:"shared,omitempty"`
	// Queue is null where it cannot be read, Payments where no process counts them.
	Queue    *events.Level    `json:"queue"`
	Payments *ProviderSummary `json:"payments"`
}

// Rate is how many calls may be made of a provider.
type Rate struct {
	Calls      int     `json:"calls"`
	PerSeconds float64 `json:"per_seconds"`
	Burst      int     `json:"burst"`
}

// Breaker is the worst state that a worker's breaker has, and how many of the workers say so.
type Breaker struct {
	State   string    `json:"state"`
	Workers int       `json:"workers"`
	Of      int       `json:"of"`
	CallsAt time.Time `json:"calls_at,omitzero"` // when an open one lets calls through
}

// Process is a heartbeat without what it counted.
type Process struct {
	Service       string                    `json:"service"`
	Process       string                    `json:"process,omitempty"`
	Host          string                    `json:"host,omitempty"`
	Version       string                    `json:"version"`
	Configuration string                    `json:"configuration,omitempty"` // as in [Heartbeat]; to compare with processes of the same service
	StartedAt     time.Time                 `json:"started_at"`
	At            time.Time                 `json:"at"`
	Slots         int                       `json:"slots,omitempty"`
	InFlight      int64                     `json:"in_flight"`
	Ready         bool                      `json:"ready"`
	NotReady      string                    `json:"not_ready,omitempty"`
	Clock         *Clock                    `json:"clock,omitempty"`
	Failures      map[string]Failure        `json:"failures,omitempty"`
	Providers     map[string]ProviderHealth `json:"providers,omitempty"`
}

// Reasons of an [Item] that isn't a payment.
const (
	DeadLetters = "dead_letters" // a provider's dead letters
	Approval    = "approval"     // an action that waits for a second person
)

// Item is something that needs a person: a payment, or many of one kind, of which it names the oldest.
type Item struct {
	Provider  string            `json:"provider"`
	Order     string            `json:"order,omitempty"`
	Operation payment.Operation `json:"operation,omitempty"`
	Status    payment.Status    `json:"status,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Amount    payment.Money     `json:"amount,omitzero"`
	Upstream  string            `json:"upstream,omitempty"`
	Number    int               `json:"number"` // how many are like this
	Since     time.Time         `json:"since,omitzero"`
	Next      string            `json:"next"` // what a person does
	// Request is the number of a request for a second person, Action what was asked for, and By by whom.
	Request uint64        `json:"request,omitempty"`
	Action  events.Action `json:"action,omitempty"`
	By      string        `json:"by,omitempty"`
}

// Unknown is something that could not be found out.
type Unknown struct {
	What    string `json:"what"` // processes, queue, payments or approvals
	Problem string `json:"problem"`
}

// Healthy reports whether everything is known and nothing needs a person.
func (r Report) Healthy() bool {
	return len(r.Unknown) == 0 && len(r.Warnings) == 0 && len(r.Attention) == 0
}
