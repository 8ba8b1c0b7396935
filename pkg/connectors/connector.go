package connectors

import (
	"context"
	"crypto/sha256"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"payonce/pkg/calendar"
	"payonce/pkg/payment"
)

// Connector is one configured account at a payment provider. All methods are safe for concurrent use
// and respect the deadline of ctx.
type Connector interface {
	// Submit asks the provider to execute the command. It sends exactly one request, or none where the
	// provider needs none. It is called again for an order only when the request before is proven not to have
	// been executed, or the provider has said since that it does not know the order. The observation is Accepted, or Paid where a provider answers
	// with the outcome. Every error is classified, see [ClassOf]; what is not is in doubt.
	Submit(ctx context.Context, cmd payment.Command) (payment.Observation, error)

	// Lookup asks the provider about an order by our order number. It changes nothing there and may be
	// repeated. "I do not know this order" is an observation (payment.Unknown), not an error; an error
	// says that nothing was learned.
	Lookup(ctx context.Context, q Query) (payment.Observation, error)

	// Traits returns what the provider's documents promise. It is constant.
	Traits() Traits
}

// Query names the payment that a lookup is about.
type Query struct {
	payment.Ref
	Operation payment.Operation
	Reference string        // the provider's number, where it is known
	Amount    payment.Money // what was ordered
}

// Webhooks is the capability of a provider that calls us. All of payonce's providers have it.
type Webhooks interface {
	// Webhook verifies and reads one call of the provider, from the header and body exactly as
	// received at the given time. It is pure: the ingress calls it to let the call in, the worker calls
	// it again to use it. Errors are a [*WebhookError].
	Webhook(header http.Header, body []byte, receivedAt time.Time) (Notice, error)
}

// Checker is the capability to refuse, before anything is written or sent, a command that the provider
// would refuse: a field that is missing, an amount out of its limits.
type Checker interface {
	// Check returns [payment.FieldErrors] with all that the provider would not take, or a [*payment.FieldError] with the first
	// thing. It is pure.
	Check(cmd payment.Command) error
}

// Notice is what a webhook says.
type Notice struct {
	Order       string
	Operation   payment.Operation // empty when the call does not say
	Observation payment.Observation
	// In, where it is set, reads the call as one about an order in this currency, and Observation says nothing yet: the
	// provider names amounts without a currency, and the account has several. It is empty for one that the account does not have.
	In func(currency string) payment.Observation `json:"-"`
	// Digest is the same for calls with the same signed fields, however they are written: with other blanks, in another
	// order, or signed again with another nonce. Without one, only calls of the same bytes are the same call.
	Digest [sha256.Size]byte
	// Answer is what this provider expects as the answer to a call that was taken.
	Answer Answer
}

// Answer is the body and media type of the answer to a webhook; its status is 200.
type Answer struct {
	ContentType string
	Body        string
}

// Traits are promises of a provider's documents, each with a source in the connector that makes it.
type Traits struct {
	// Kind is the connector's name, e.g. "teemopay".
	Kind string
	// Account names, without secrets, where orders are sent to and looked up: host, merchant, project or application,
	// and whatever else makes another space of order numbers. It is compared as text. A payment that was sent to one
	// account must never be looked up at another, which does not know it: it would be sent again. What can be changed
	// while payments are open (secrets, texts, delays) is not in it.
	Account string
	// Merchant is the part of Account that the provider gave us (a platform, a project, an application), and Endpoints
	// are the base URLs at which it is served. Two providers of one kind that share both share their order numbers, so
	// a configuration with two of them is refused.
	Merchant  string
	Endpoints []string
	// Operations that the provider executes.
	Operations []payment.Operation
	// Currencies that it takes, ISO 4217.
	Currencies []string
	// MaxOrderLength is the longest order number it takes.
	MaxOrderLength int
	// Methods are the accepted values of Command.Method by operation; the first is the default. No
	// entry means that the method must be empty.
	Methods map[payment.Operation][]string
	// RefusesDuplicates says that the provider executes an order number once and refuses it the second
	// time. It is the last guard behind our own.
	RefusesDuplicates bool
	// RefusalLeavesNoOrder says that a create request that was refused ([Error].Refused) leaves no order at the
	// provider. When its look-up then says twice, late enough, that it does not know the order, the payment
	// ends as failed instead of being sent again. Leave it out where the documents do not support it.
	RefusalLeavesNoOrder bool
	// OneReference says that the provider has one number for an order, for ever. Another number under the
	// same order is then another payment, and a person is called. Leave it out where each attempt of the
	// customer has a number of its own.
	OneReference bool
	// SettlingDelay is how long after a request the provider's lookup may not know the order yet.
	// "Unknown" before that is not believed.
	SettlingDelay time.Duration
	// BasicTime is after how long the result of a payment is usually there, and Threshold is the longest time
	// until it is. Both count while the provider is open; 0 is not documented. A configuration may say
	// otherwise.
	BasicTime, Threshold time.Duration
	// ThresholdInWallClock says that Threshold goes on while the provider is closed.
	ThresholdInWallClock bool
	// PageGrace is, for a connector that makes links to a page without a request (PageClosesAt of the
	// observation), how long after the page has closed a lookup may still not know what was confirmed there. It
	// counts while the provider is open; 0 is not known, and then no such payment ends by not being known.
	PageGrace time.Duration
	// Hours in which the provider takes payments, as its documents say; the zero Config is always open. A
	// configuration may say otherwise.
	Hours calendar.Config
	// MarginBeforeClosing is how long before a closing no more payments of an operation are sent, so that their
	// result comes before it. It stands in place of that of Hours, and goes with other hours too. A configuration
	// may say otherwise.
	MarginBeforeClosing map[payment.Operation]time.Duration
}

// Reference returns a provider's number of a payment as it was told; empty where it cannot be kept: it is longer than
// [payment.MaxText], or an object or a list, told as its JSON.
func Reference(told string) string {
	if utf8.RuneCountInString(told) > payment.MaxText || strings.HasPrefix(told, "{") || strings.HasPrefix(told, "[") {
		return ""
	}
	return told
}
