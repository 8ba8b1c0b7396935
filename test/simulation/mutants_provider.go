package simulation

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// brokenConnector misreads what the provider says.
type brokenConnector struct {
	providerPort
	submit  func(payment.Observation, error) (payment.Observation, error)
	lookup  func(payment.Observation, error) (payment.Observation, error)
	webhook func(w *world, o payment.Observation) payment.Observation
	hasty   *int          // times that Traits was asked, for one that forgets its settling delay
	delay   time.Duration // that it has instead
}

func (c brokenConnector) Submit(ctx context.Context, cmd payment.Command) (payment.Observation, error) {
	o, err := c.providerPort.Submit(ctx, cmd)
	if c.submit == nil || c.p.dead {
		return o, err
	}
	return c.submit(o, err)
}

func (c brokenConnector) Lookup(ctx context.Context, q connectors.Query) (payment.Observation, error) {
	o, err := c.providerPort.Lookup(ctx, q)
	if c.hasty != nil {
		o.Settling = 0
	}
	if c.lookup == nil || c.p.dead {
		return o, err
	}
	return c.lookup(o, err)
}

func (c brokenConnector) Webhook(h http.Header, body []byte, at time.Time) (connectors.Notice, error) {
	notice, err := c.providerPort.Webhook(h, body, at)
	if err == nil && c.webhook != nil {
		notice.Observation = c.webhook(c.p.w, notice.Observation)
	}
	return notice, err
}

// Traits is honest to worker.New, which would refuse the short delay.
func (c brokenConnector) Traits() connectors.Traits {
	t := c.providerPort.Traits()
	if c.hasty == nil {
		return t
	}
	if *c.hasty++; *c.hasty > 1 {
		t.SettlingDelay = c.delay
	}
	return t
}

// doubtIs makes every doubt about a submit something else.
func doubtIs(class connectors.Class, code string) func(payment.Observation, error) (payment.Observation, error) {
	return func(o payment.Observation, err error) (payment.Observation, error) {
		if err != nil && connectors.ClassOf(err) == connectors.InDoubt {
			return o, &connectors.Error{Class: class, Code: code}
		}
		return o, err
	}
}

func connectorMutants() []Mutant {
	broken := func(name string, c brokenConnector) Mutant {
		return Mutant{Name: name, connector: func(_ *world, port providerPort) connectors.Connector {
			made := c
			if made.providerPort = port; c.hasty != nil {
				made.hasty = new(int)
			}
			return made
		}}
	}
	return []Mutant{
		broken("treat timeout as failed", brokenConnector{submit: doubtIs(connectors.Rejected, payment.ReasonDeclined)}),
		broken("take a timeout for not sent", brokenConnector{submit: doubtIs(connectors.NotSent, payment.ReasonUnreachable)}),
		broken("take a timeout for throttled", brokenConnector{submit: doubtIs(connectors.Throttled, payment.ReasonThrottled)}),
		broken("believe 'unknown' before the settling delay", brokenConnector{hasty: new(int), delay: time.Second}),
		broken("resubmit without lookup", brokenConnector{hasty: new(int), delay: time.Second, lookup: func(payment.Observation, error) (payment.Observation, error) {
			return payment.Observation{Kind: payment.Unknown}, nil
		}}),
		broken("take a failed look-up for 'unknown'", brokenConnector{lookup: failedLookupIs(payment.Unknown)}),
		broken("take a failed look-up for a refusal", brokenConnector{lookup: failedLookupIs(payment.Declined)}),
		broken("take 'unknown' for a refusal", brokenConnector{lookup: func(o payment.Observation, err error) (payment.Observation, error) {
			if o.Kind == payment.Unknown {
				o.Kind = payment.Declined
			}
			return o, err
		}}),
		broken("take accepted for paid", brokenConnector{submit: func(o payment.Observation, err error) (payment.Observation, error) {
			if o.Kind == payment.Accepted {
				o.Kind, o.Action = payment.Paid, nil
			}
			return o, err
		}}),
		broken("take the ordered amount for the paid one", brokenConnector{webhook: func(_ *world, o payment.Observation) payment.Observation {
			o.SettledAmount, o.Transfers = payment.Money{}, nil
			return o
		}}),
		broken("overlook that the provider means another amount", brokenConnector{webhook: func(_ *world, o payment.Observation) payment.Observation {
			o.Amount = payment.Money{}
			return o
		}}),
		broken("count a transfer as often as it is told", brokenConnector{webhook: renameTransfers}),
		broken("overlook reversals", brokenConnector{webhook: func(_ *world, o payment.Observation) payment.Observation {
			if o.Kind == payment.Reversal {
				o.Kind = payment.Indeterminate
			}
			return o
		}}),
	}
}

func failedLookupIs(kind payment.Kind) func(payment.Observation, error) (payment.Observation, error) {
	return func(o payment.Observation, err error) (payment.Observation, error) {
		if err != nil {
			return payment.Observation{Kind: kind}, nil
		}
		return o, err
	}
}

// renameTransfers gives every transfer a new name each time that it is read.
func renameTransfers(w *world, o payment.Observation) payment.Observation {
	var renamed []payment.Transfer
	for _, r := range o.Transfers {
		renamed = append(renamed, payment.Transfer{Reference: r.Reference + "-" + strconv.Itoa(w.ids), Amount: r.Amount})
		w.ids++
	}
	o.Transfers = renamed
	return o
}
