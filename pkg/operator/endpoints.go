package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// EndpointTester has a notifier send a test event to an endpoint.
type EndpointTester interface {
	// TestEndpoint returns what came of it, or [events.ErrNoNotifier].
	TestEndpoint(ctx context.Context, endpoint string) (events.EndpointTest, error)
}

// EndpointSwitch turns endpoints off and on.
type EndpointSwitch interface {
	DisableEndpoint(ctx context.Context, endpoint string) error
	EnableEndpoint(ctx context.Context, endpoint string) error
}

// EndpointSender has events of the log sent to an endpoint again.
type EndpointSender interface {
	// SendAgain sends one under the webhook-id that it had. replay names the person's action: repeated, it is sent once for it.
	SendAgain(ctx context.Context, endpoint, replay string, m events.Message) error
}

// The results of actions on endpoints.
const (
	EndpointDisabled = "disabled"
	EndpointEnabled  = "enabled"
	TestDelivered    = "delivered"
	SentAgain        = "sent again"
)

// onEndpoint is a batch of an action on an endpoint. The provider is [events.NoProvider] where the action is about none.
func onEndpoint(endpoint, provider string, who Person, items ...events.AuditItem) Batch {
	if provider == "" {
		provider = events.NoProvider
	}
	return Batch{Provider: provider, Who: who, Filter: map[string]string{"endpoint": endpoint}, Items: items}
}

// endpointItem stands in a record for the endpoint itself.
func endpointItem(endpoint string) events.AuditItem {
	return events.AuditItem{Stream: events.StreamEndpoints + " consumer " + events.EndpointConsumer(endpoint)}
}

// SwitchEndpoint disables an endpoint, whose events then wait, or enables it.
func (a Actions) SwitchEndpoint(ctx context.Context, to EndpointSwitch, endpoint string, enabled bool, who Person) error {
	action, result, turn := events.ActionDisable, EndpointDisabled, to.DisableEndpoint
	if enabled {
		action, result, turn = events.ActionEnable, EndpointEnabled, to.EnableEndpoint
	}
	_, err := a.each(ctx, action, onEndpoint(endpoint, "", who, endpointItem(endpoint)), func(ctx context.Context, item *events.AuditItem) error {
		item.Result = result
		return turn(ctx, endpoint)
	})
	return err
}

// TestEndpoint has a test event sent to an endpoint, also to a disabled one, and returns what came of it. The error is
// [events.ErrNoNotifier] when no notifier runs.
func (a Actions) TestEndpoint(ctx context.Context, at EndpointTester, endpoint string, who Person) (came events.EndpointTest, err error) {
	var unsent error
	_, err = a.each(ctx, events.ActionTest, onEndpoint(endpoint, "", who, endpointItem(endpoint)), func(ctx context.Context, item *events.AuditItem) error {
		ctx, cancel := context.WithTimeout(ctx, a.Timeout)
		defer cancel()
		var err error
		came, err = at.TestEndpoint(ctx, endpoint)
		switch item.Result = TestDelivered; {
		case errors.Is(err, events.ErrNoNotifier):
			item.Result, unsent, err = "not sent: "+events.ErrNoNotifier.Error(), err, nil
		case err == nil && !came.Delivered:
			item.Result = "not delivered: " + came.Problem
		}
		return err
	})
	return came, errors.Join(err, unsent)
}

// EventFilter chooses events of the log: those of one order, or those that were stored in a time.
type EventFilter struct {
	Provider, Order string    // an order needs a provider; empty means all
	From, To        time.Time // stored at or after, and before; zero is unbounded
	// Last is the last sequence that is read; 0 is unbounded.
	Last uint64
}

// Valid reports whether a filter names an order with its provider, or a first time: without both it would choose the whole log.
func (f EventFilter) Valid() bool {
	if f.Order != "" {
		return payment.Ref{Provider: f.Provider, Order: f.Order}.Validate() == nil
	}
	return !f.From.IsZero() && (f.Provider == "" || payment.ValidProvider(f.Provider))
}

// EventLog is the log of payments.
type EventLog interface {
	// ReadEvents calls each for the events under a subject from a time on, oldest first, until it returns false or there are no more.
	ReadEvents(ctx context.Context, subject string, from time.Time, each func(events.Message) (more bool, err error)) error
}

// TooManyError says that a filter chooses more events than can be sent again at once.
type TooManyError struct{ Most int }

func (e *TooManyError) Error() string {
	return fmt.Sprintf("more than %d events: name a shorter time", e.Most)
}

// Read returns the events that are chosen and that an endpoint wants, oldest first, or a [TooManyError]. An event that cannot be
// read is left out: it was not sent either.
func (f EventFilter) Read(ctx context.Context, log EventLog, wants func(payment.Payment) bool, most int) (found []events.Message, err error) {
	subject := "payment.>"
	if f.Provider != "" {
		ref := payment.Ref{Provider: f.Provider, Order: "*"}
		if f.Order != "" {
			ref.Order = f.Order
		}
		subject = events.PaymentFilter(ref)
	}
	err = log.ReadEvents(ctx, subject, f.From, func(m events.Message) (bool, error) {
		if f.Last > 0 && m.Sequence > f.Last || !f.To.IsZero() && !m.StoredAt.Before(f.To) {
			return false, nil
		}
		p, err := events.DecodePayment(m.Data)
		if err != nil || !wants(p) {
			return true, nil
		}
		if found = append(found, m); len(found) > most {
			return false, &TooManyError{most}
		}
		return true, nil
	})
	return found, err
}

// Resend is events of the log that are sent to an endpoint again.
type Resend struct {
	Endpoint string
	Provider string // empty where they are of several
	Events   []events.Message
	Items    []events.AuditItem // one for each event, completed with what came of it
	Done     func()             // called after each event; may be nil
}

// ResendOf is to send events that a filter chose.
func ResendOf(endpoint string, f EventFilter, found []events.Message) Resend {
	r := Resend{Endpoint: endpoint, Provider: f.Provider, Events: found, Items: []events.AuditItem{}}
	for _, m := range found {
		ref, _ := events.SubjectRef(m.Subject)
		status, _ := events.SubjectStatus(m.Subject)
		r.Items = append(r.Items, events.AuditItem{Order: ref.Order, Event: m.Sequence, Before: status})
	}
	return r
}

// SendAgain has events sent to an endpoint again, and counts what came of them. An [UnfinishedError] says from when on some are left.
func (a Actions) SendAgain(ctx context.Context, to EndpointSender, r Resend, who Person) (map[string]int, error) {
	bySequence := map[uint64]events.Message{}
	for _, m := range r.Events {
		bySequence[m.Sequence] = m
	}
	b, replay := onEndpoint(r.Endpoint, r.Provider, who, r.Items...), a.NewID()
	b.Done = r.Done
	results, err := a.each(ctx, events.ActionReplay, b, func(ctx context.Context, item *events.AuditItem) error {
		item.Result = SentAgain
		return to.SendAgain(ctx, r.Endpoint, replay, bySequence[item.Event])
	})
	var unfinished *UnfinishedError
	if errors.As(err, &unfinished) {
		first := slices.IndexFunc(r.Items, isLeft)
		unfinished.From = bySequence[r.Items[first].Event].StoredAt
	}
	return results, err
}
