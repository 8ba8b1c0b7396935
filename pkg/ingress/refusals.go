package ingress

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Refusals tells why commands were refused after they had been published. It is safe for concurrent use.
type Refusals interface {
	// Refusal returns the last refusal of a command of an order that an upstream published, or that none did, or
	// events.ErrNoRefusal.
	Refusal(ctx context.Context, upstream string, ref payment.Ref) (events.Refusal, error)
}

// refusal is what an upstream is told of a command that a worker refused. The command of the payment that is shown is another one.
type refusal struct {
	Message     string                `json:"message"`
	Reason      events.DeadReason     `json:"reason"`
	Detail      string                `json:"detail,omitempty"`
	Errors      []events.RefusedField `json:"errors,omitempty"`
	RefusedAt   time.Time             `json:"refused_at"`
	PublishedAt time.Time             `json:"published_at"`
}

// shownPayment is a payment, and why the last command was refused that had its order number, too.
type shownPayment struct {
	events.PaymentData
	Refusal *refusal `json:"refusal,omitempty"`
}

// lastRefusal returns the last refusal that an upstream may see; nil for none.
func (s *Server) lastRefusal(ctx context.Context, upstream string, ref payment.Ref) (*refusal, error) {
	if s.refusals == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.BackendTimeout)
	defer cancel()
	r, err := s.refusals.Refusal(ctx, upstream, ref)
	if errors.Is(err, events.ErrNoRefusal) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("refusals of %s: %w", ref, err)
	}
	return &refusal{r.Message, r.Reason, r.Detail, r.Errors, r.RefusedAt, r.PublishedAt}, nil
}

// tagOf is the ETag of what is shown of a payment.
func tagOf(p payment.Payment, refused *refusal) string {
	if refused == nil {
		return `"` + strconv.Itoa(p.Revision) + `"`
	}
	return fmt.Sprintf(`"%d-%d"`, p.Revision, refused.RefusedAt.UnixMilli())
}

// refusedProblem is the problem of an order without a payment whose command was refused.
func refusedProblem(refused *refusal) *problem {
	p := newProblem(kindRefused, "There is no payment: the command was refused. Send it again under this order number once it is right.")
	p.Refusal, p.Errors = refused, refused.Errors
	return p
}
