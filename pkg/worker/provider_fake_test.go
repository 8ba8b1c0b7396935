package worker_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// settling is how long the scripted provider's look-up may not know an order that it has.
const settling = time.Minute

// reply scripts one Submit.
type reply struct {
	execute bool          // the provider executes the order, whatever it answers
	takes   time.Duration // before the answer
	says    payment.Observation
	err     error
}

// truth is what the provider really did for an order; no worker sees it.
type truth struct {
	executed  int
	at        time.Time // of the last execution
	submitted int       // requests that came
	says      payment.Observation
}

// provider is a scripted connector with a hidden truth.
type provider struct {
	mu      sync.Mutex
	orders  map[string]*truth
	replies map[string][]reply // by order; afterwards every Submit executes and says Accepted
	// lookup, if set, answers instead of the truth.
	lookup func(q connectors.Query) (payment.Observation, error)
	// hidden is how long the look-up does not know an executed order yet.
	hidden  time.Duration
	takes   time.Duration // a look-up
	lookups int
	traits  connectors.Traits
	// onDial, if set, is called while each request dials; without it the connection is open already. alone
	// says of each request whether it asked for a connection of its own.
	onDial func()
	alone  []bool
	// signature is the one of a good webhook.
	signature string
}

func newProvider() *provider {
	return &provider{
		orders: map[string]*truth{}, replies: map[string][]reply{},
		traits: connectors.Traits{
			Kind: "scripted", Operations: payment.Operations(), Currencies: []string{"KRW"}, MaxOrderLength: 64,
			SettlingDelay: settling,
		},
		signature: "good",
	}
}

func (p *provider) Traits() connectors.Traits { return p.traits }

func (p *provider) order(order string) *truth {
	if p.orders[order] == nil {
		p.orders[order] = &truth{}
	}
	return p.orders[order]
}

// of returns a copy of the truth about an order.
func (p *provider) of(order string) truth {
	p.mu.Lock()
	defer p.mu.Unlock()
	return *p.order(order)
}

func (p *provider) script(order string, replies ...reply) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.replies[order] = replies
}

func (p *provider) Submit(ctx context.Context, cmd payment.Command) (payment.Observation, error) {
	sending := connectors.SendingOf(ctx)
	if p.onDial != nil {
		p.onDial()
	}
	if err := sending.Check(ctx, p.onDial != nil); err != nil {
		return payment.Observation{}, &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonInterrupted, Evidence: "fence", Err: err}
	}
	p.mu.Lock()
	p.alone = append(p.alone, sending.NewConnection)
	p.mu.Unlock()
	r := p.take(cmd)
	select {
	case <-time.After(r.takes):
	case <-ctx.Done():
		return payment.Observation{}, ctx.Err() // unclassified on purpose
	}
	return r.says, r.err
}

func (p *provider) take(cmd payment.Command) reply {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := reply{execute: true, says: accepted(cmd.Order)}
	if script := p.replies[cmd.Order]; len(script) > 0 {
		r, p.replies[cmd.Order] = script[0], script[1:]
	}
	t := p.order(cmd.Order)
	t.submitted++
	if r.execute {
		t.executed++
		t.at, t.says = time.Now(), accepted(cmd.Order)
	}
	return r
}

func accepted(order string) payment.Observation {
	return payment.Observation{
		Kind: payment.Accepted, Reference: "ref-" + order, Amount: payment.KRW(10000),
		Action: &payment.Action{Type: payment.ActionRedirect, Redirect: &payment.Redirect{Method: "GET", URL: "https://pay.example/" + order}},
	}
}

func (p *provider) Lookup(ctx context.Context, q connectors.Query) (payment.Observation, error) {
	p.mu.Lock()
	p.lookups++
	answer, takes, t, hidden := p.lookup, p.takes, *p.order(q.Order), p.hidden
	p.mu.Unlock()
	unknown := t.executed == 0 || time.Since(t.at) < hidden // as it is when the question comes
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return payment.Observation{}, ctx.Err()
	}
	if answer != nil {
		return answer(q)
	}
	if unknown {
		return payment.Observation{Kind: payment.Unknown, Settling: settling}, nil
	}
	return t.says, nil
}

// Check refuses orders that begin with "bad-".
func (p *provider) Check(cmd payment.Command) error {
	if strings.HasPrefix(cmd.Order, "bad-") {
		return &payment.FieldError{Field: "order", Problem: "this provider takes no bad orders"}
	}
	return nil
}

// call is the body of the scripted provider's webhook.
type call struct {
	Order       string
	Operation   payment.Operation
	Observation payment.Observation
	Customer    string // personal data, as real ones carry it
	NoCurrency  bool   // the amount of Observation is in the order's
}

// Webhook gives out what it read with its refusal too, to tempt its caller.
func (p *provider) Webhook(header http.Header, body []byte, _ time.Time) (connectors.Notice, error) {
	var c call
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&c); err != nil {
		return connectors.Notice{}, &connectors.WebhookError{Refusal: connectors.BadWebhook, Problem: "not readable"}
	}
	notice := connectors.Notice{Order: c.Order, Operation: c.Operation, Observation: c.Observation}
	if c.NoCurrency {
		notice.Observation = payment.Observation{Kind: payment.Indeterminate}
		notice.In = func(currency string) payment.Observation {
			o := c.Observation
			o.Amount.Currency, o.SettledAmount.Currency = currency, currency
			return o
		}
	}
	if header.Get("X-Signature") != p.signature {
		return notice, &connectors.WebhookError{Refusal: connectors.BadSignature, Problem: "wrong"}
	}
	return notice, nil
}

// silent is a provider that sends no webhooks and checks nothing.
type silent struct{ connectors.Connector }

// The ways in which a call fails.
var (
	errTimedOut  = &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonNoAnswer, Evidence: "the answer did not come"}
	errRefused   = &connectors.Error{Class: connectors.Rejected, Code: payment.ReasonDeclined, ProviderCode: "51", Message: "limit"}
	errUnreached = &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonUnreachable, Evidence: "dial"}
	errBalance   = &connectors.Error{Class: connectors.NotSent, Code: payment.ReasonBalance, ProviderCode: "309"}
	errThrottled = &connectors.Error{Class: connectors.Throttled, Code: payment.ReasonThrottled, ProviderCode: "http_429", RetryAfter: 90 * time.Second}
	errDuplicate = &connectors.Error{Class: connectors.InDoubt, Code: payment.ReasonIndeterminate, ProviderCode: "426", Known: true}
	errPlain     = errors.New("unexpected EOF")
)
