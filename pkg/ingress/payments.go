package ingress

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// event is one entry of a payment's timeline.
type event struct {
	Sequence uint64             `json:"sequence"` // in the log
	ID       string             `json:"id"`       // the event's CloudEvents id
	StoredAt time.Time          `json:"stored_at"`
	Payment  events.PaymentData `json:"payment"`
}

// unreadableEvent is an event of which nothing but its place is known.
type unreadableEvent struct {
	Sequence uint64    `json:"sequence"`
	StoredAt time.Time `json:"stored_at"`
	Problem  string    `json:"problem"`
}

type timeline struct {
	payment.Ref
	Events     []event           `json:"events"`
	Unreadable []unreadableEvent `json:"unreadable,omitempty"`
}

const unreadable = "The payment could not be read. Retry."

// payment shows a payment, after waiting for it where the client prefers that.
func (s *Server) payment(w http.ResponseWriter, r *http.Request) *problem {
	ref, refused := refOf(r)
	if refused != nil {
		return refused
	}
	upstream := requestOf(r).key.upstream()
	wait := min(preferredWait(r.Header.Values("Prefer")), s.limits.MaxWait)
	var end func()
	if wait > 0 {
		end = s.beginWaiting(requestOf(r).key)
	}
	var p payment.Payment
	var err error
	if end != nil {
		defer end()
		requestOf(r).leave() // it has a place among those that wait
		s.outlive(w, wait)
		p, err = s.await(r.Context(), ref, upstream, wait)
	} else {
		p, err = s.find(r.Context(), ref, upstream)
	}
	if refused := s.readable(r, p, err, ref); refused != nil {
		return refused
	}
	tag := `"` + strconv.Itoa(p.Revision) + `"`
	w.Header().Set("ETag", tag)
	switch {
	case end != nil:
		w.Header().Set("Preference-Applied", fmt.Sprintf("wait=%d", wait/time.Second))
	case matches(r.Header.Values("If-None-Match"), tag):
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeJSON(w, http.StatusOK, events.DataOf(p))
	return nil
}

// timeline shows all events of a payment; none for one that waits in the queue.
func (s *Server) timeline(w http.ResponseWriter, r *http.Request) *problem {
	ref, refused := refOf(r)
	if refused != nil {
		return refused
	}
	p, err := s.find(r.Context(), ref, requestOf(r).key.upstream())
	if refused := s.readable(r, p, err, ref); refused != nil {
		return refused
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	records, err := s.log.History(ctx, ref)
	if err != nil && !errors.Is(err, events.ErrNoPayment) {
		return s.failed(r, err, unreadable, "provider", ref.Provider, "order", ref.Order)
	}
	if err := s.readActions(ctx, records); err != nil {
		return s.failed(r, err, unreadable, "provider", ref.Provider, "order", ref.Order)
	}
	answer := timeline{Ref: ref, Events: make([]event, 0, len(records))}
	for _, record := range records {
		if record.Unreadable != "" {
			answer.Unreadable = append(answer.Unreadable, unreadableEvent{record.Sequence, record.StoredAt, record.Unreadable})
			continue
		}
		answer.Events = append(answer.Events, event{record.Sequence, record.ID, record.StoredAt, events.DataOf(record.Payment)})
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// readActions reads what the customer had to do at each event. Events that name the same cost one read.
func (s *Server) readActions(ctx context.Context, records []events.Record) error {
	known := map[string]*payment.Action{}
	for i := range records {
		p := &records[i].Payment
		for _, action := range []**payment.Action{&p.Action, &p.WithheldAction} {
			if (*action).Missing() && known[(*action).Stored] != nil {
				*action = known[(*action).Stored]
			}
		}
		read, err := s.actions.Actions(ctx, *p)
		if err != nil {
			return err
		}
		*p = read
		for _, action := range []*payment.Action{p.Action, p.WithheldAction} {
			if action != nil {
				known[action.Stored] = action
			}
		}
	}
	return nil
}

// refOf reads the payment's names from the path and asks whether the key is for its provider.
func refOf(r *http.Request) (payment.Ref, *problem) {
	ref := payment.Ref{Provider: r.PathValue("provider"), Order: r.PathValue("order")}
	if ref.Validate() != nil {
		return payment.Ref{}, newProblem(kindNotFound, "Invalid payment reference.")
	}
	if !requestOf(r).key.allowsProvider(ref.Provider) {
		return payment.Ref{}, newProblem(kindForbidden, "This API key is not allowed to use this provider.")
	}
	return ref, nil
}

// readable returns why a payment that was looked for cannot be shown to who asks; nil if it can.
func (s *Server) readable(r *http.Request, p payment.Payment, err error, ref payment.Ref) *problem {
	switch {
	case errors.Is(err, events.ErrNoPayment):
		return newProblem(kindNotFound, "Payment not found.")
	case err != nil:
		return s.failed(r, err, unreadable, "provider", ref.Provider, "order", ref.Order)
	case !requestOf(r).key.allowsOperation(p.Operation):
		return newProblem(kindForbidden, "This API key is not allowed to use this operation.")
	}
	return nil
}

// find returns the payment as it stands in the log or, before its first event, as the queued command
// has it. For another upstream's payment the same is read as for an order that is not known, and the same is the answer.
func (s *Server) find(ctx context.Context, ref payment.Ref, upstream string) (payment.Payment, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.BackendTimeout)
	defer cancel()
	p, err := s.logged(ctx, ref, upstream)
	if !errors.Is(err, events.ErrNoPayment) {
		return p, err
	}
	p, err = s.queued(ctx, ref, upstream)
	if err == nil || !errors.Is(err, events.ErrNotQueued) && !errors.Is(err, errReused) && !errors.Is(err, errForeign) {
		return p, err
	}
	// A worker may have begun between the two looks: it writes to the log before it leaves the queue.
	return s.logged(ctx, ref, upstream)
}

// logged returns the payment as it stands in the log, or events.ErrNoPayment for one that is another upstream's, too. What
// the customer must do is read after that, so that a failure or the time of the read tells another upstream nothing.
func (s *Server) logged(ctx context.Context, ref payment.Ref, upstream string) (payment.Payment, error) {
	p, err := s.last(ctx, ref, upstream)
	if err != nil {
		return p, err
	}
	if !p.VisibleTo(upstream) {
		return payment.Payment{}, events.ErrNoPayment
	}
	return s.actions.Actions(ctx, p)
}

// matches reports whether an If-None-Match names the tag (RFC 9110, 13.1.2: weak comparison).
func matches(values []string, tag string) bool {
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}
