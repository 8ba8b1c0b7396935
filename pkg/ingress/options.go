package ingress

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Commands is the queue of commands and clarifications. Its methods are safe for concurrent use.
type Commands interface {
	// PublishCommand stores a command and returns once it is stored. It returns events.ErrQueued when
	// another command of this order waits in the queue already; after any other error the command may
	// have been stored or not.
	PublishCommand(ctx context.Context, command events.Outgoing) error
	// Queued returns what the queue knows of an order whose command waits there or is parked, or events.ErrNotQueued.
	Queued(ctx context.Context, ref payment.Ref) (events.Queued, error)
	// PublishClarification stores an answer to a provider's question and returns once it is stored. The
	// id is the same for the same answer sent again, so that a store may keep it once. It returns
	// events.ErrQueued when another answer of this order waits in the queue already; after any other
	// error the answer may have been stored or not.
	PublishClarification(ctx context.Context, clarification events.Outgoing, id string) error
}

// WebhookSink keeps verified webhooks for the worker. It is safe for concurrent use.
type WebhookSink interface {
	// PublishWebhook stores a webhook and returns once it is stored. The id is the same for the same
	// call sent again, so that a store may keep it once.
	PublishWebhook(ctx context.Context, webhook events.Outgoing, id string) error
}

// Log is the log of payments, as a reader sees it. Its methods are safe for concurrent use.
type Log interface {
	// Last returns the payment as it stands and the sequence of its last event, or events.ErrNoPayment. What its customer
	// must do can be without its content ([payment.Action.Missing]).
	Last(ctx context.Context, ref payment.Ref) (payment.Payment, uint64, error)
	// History returns all events of a payment, oldest first, or events.ErrNoPayment. So can theirs.
	History(ctx context.Context, ref payment.Ref) ([]events.Record, error)
	// Watch returns a channel that gets a value whenever the order's events may have changed, and a
	// function that ends the watching.
	Watch(ref payment.Ref) (<-chan struct{}, func())
}

// Actions keeps what customers must do beside the log. It is safe for concurrent use.
type Actions interface {
	// Actions returns a payment with the content of what its customer must do, as far as it is kept. It is called for
	// those alone who may see the payment.
	Actions(ctx context.Context, p payment.Payment) (payment.Payment, error)
}

// Options are what a Server is made of. All fields without a word about their absence are required.
type Options struct {
	Registry *connectors.Registry
	Commands Commands
	Webhooks WebhookSink
	Log      Log
	// RefusedWebhooks keeps webhooks that are refused, for a short time and masked. Without it none are kept.
	RefusedWebhooks RefusedWebhooks
	Actions         Actions
	// Search finds payments. Without it they can't be searched.
	Search Search
	// Keys let upstream services in. Without one no client can use /v1.
	Keys []APIKey
	// WebhookSources lists, by provider, the networks its webhooks may come from. A provider without an
	// entry may call from anywhere; its signature is checked all the same.
	WebhookSources map[string][]netip.Prefix
	// TrustedProxies are the networks of our own reverse proxies, and ProxyHeader is the header in
	// which they write the client's address, e.g. "X-Forwarded-For". Both or none.
	TrustedProxies []netip.Prefix
	ProxyHeader    string
	// ClientCertificates makes /v1 demand, beside the key, a TLS connection whose client certificate was
	// verified. The listener's TLS settings say by which authorities.
	ClientCertificates bool
	// Limits bound what a request may cost.
	Limits Limits
	// OrderPrefixes reserves order numbers by upstream.
	OrderPrefixes payment.OrderPrefixes
	// NATSUpstreams publish by NATS, for any provider.
	NATSUpstreams []string
	// Opening says when providers take payments. Without it no client is told.
	Opening func(provider string, op payment.Operation) Opening
	// Retention is how long the log remembers a payment; 0 is for ever. Commands of before are refused, and so are
	// those that could become so old while they wait.
	Retention time.Duration
	// Now gives the time at which commands and webhooks are received.
	Now func() time.Time
	// NewID gives a new unique id of printable ASCII without blanks, e.g. a UUID.
	NewID  func() string
	Logger *slog.Logger
	// Status reports the state of the system. Without it no client can read it.
	Status Status
	// Ready says what is missing to work, for /readyz. Its text is shown to every client: name the
	// parts that are missing, and no addresses or secrets.
	Ready func(ctx context.Context) error
}

// validate reports all problems at once.
func (o Options) validate() error {
	var problems []error
	need := func(name string, missing bool) {
		if missing {
			problems = append(problems, fmt.Errorf("%s is required", name))
		}
	}
	need("Registry", o.Registry == nil)
	need("Commands", o.Commands == nil)
	need("Webhooks", o.Webhooks == nil)
	need("Log", o.Log == nil)
	need("Actions", o.Actions == nil)
	need("Now", o.Now == nil)
	need("NewID", o.NewID == nil)
	need("Logger", o.Logger == nil)
	need("Ready", o.Ready == nil)
	if (o.ProxyHeader == "") != (len(o.TrustedProxies) == 0) {
		problems = append(problems, errors.New("ProxyHeader and TrustedProxies must be set together"))
	}
	problems = append(problems, o.OrderPrefixes.Validate())
	problems = append(problems, o.Limits.Validate())
	if o.Registry != nil { // an unknown name would let callers in, or keep them out for ever
		for provider := range o.WebhookSources {
			if _, known := o.Registry.Get(provider); !known {
				problems = append(problems, fmt.Errorf("webhook sources: unknown provider %q", provider))
			}
		}
		problems = append(problems, validateKeys(o.Keys, o.Registry))
	}
	return errors.Join(problems...)
}
