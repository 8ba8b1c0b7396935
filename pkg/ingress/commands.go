package ingress

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// maxQueued bounds the time that is kept free before the log forgets, for a command to wait in: the worker
// gives up one that is too old when its turn comes.
const maxQueued = 7 * 24 * time.Hour

// accepted is the answer to a command: the payment, as its events have it.
type accepted struct {
	events.PaymentData
	Duplicate bool `json:"duplicate"`
	// Retry says what makes another attempt, where this order makes none, and Detail says so to people.
	Retry  string `json:"retry,omitempty"`
	Detail string `json:"detail,omitempty"`
}

// retryNewOrder: the command must be sent under a new order number.
const retryNewOrder = "new_order"

// answerTo returns what is said about a payment. A failed one stays failed, however often its command is sent.
func answerTo(p payment.Payment, duplicate bool) accepted {
	answer := accepted{PaymentData: events.DataOf(p), Duplicate: duplicate}
	if p.Status == payment.Failed {
		answer.Retry = retryNewOrder
		answer.Detail = "This payment failed. To try again, send the command under a new order number."
	}
	return answer
}

func (s *Server) deposit(w http.ResponseWriter, r *http.Request) *problem {
	return s.command(w, r, payment.Deposit)
}

func (s *Server) payout(w http.ResponseWriter, r *http.Request) *problem {
	return s.command(w, r, payment.Payout)
}

func (s *Server) command(w http.ResponseWriter, r *http.Request, op payment.Operation) *problem {
	answer, refused := s.take(w, r, op)
	if refused != nil {
		s.counters.commandRefused(r.Context(), op, refused.kind())
		return refused
	}
	s.counters.commandAccepted(r.Context(), answer.Payment, answer.Duplicate)
	w.Header().Set("Location", "/v1/payments/"+answer.Ref.String())
	writeJSON(w, http.StatusAccepted, answer)
	return nil
}

func (s *Server) take(w http.ResponseWriter, r *http.Request, op payment.Operation) (accepted, *problem) {
	key := requestOf(r).key
	if !key.allowsOperation(op) {
		return accepted{}, newProblem(kindForbidden, "This API key is not allowed to use this operation.")
	}
	if !plainJSON(r.Header) {
		return accepted{}, newProblem(kindMediaType, "Send application/json in UTF-8, not compressed.")
	}
	body, refused := s.keyBody(w, r)
	if refused != nil {
		return accepted{}, refused
	}
	cmd, refused := s.parse(op, body, &key.APIKey)
	if refused != nil {
		return accepted{}, refused
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	refused = s.check(cmd)
	p, duplicate, err := s.enqueue(ctx, cmd, refused == nil)
	switch {
	case refused != nil && (errors.Is(err, errUnknown) || errors.Is(err, errReused) || errors.Is(err, errForeign)):
		return accepted{}, refused
	case errors.Is(err, errForeign):
		return accepted{}, newProblem(kindReused, "")
	case errors.Is(err, errReused):
		refused := newProblem(kindReused, "The order number was used for another command, which is unchanged.")
		refused.Field = "order"
		return accepted{}, refused
	case err != nil:
		return accepted{}, s.failed(r, err, "The command may have been accepted: send the same request again.",
			"provider", cmd.Provider, "order", cmd.Order)
	}
	return answerTo(p, duplicate), nil
}

// parse reads a command and finds out whether this key may send it.
func (s *Server) parse(op payment.Operation, body []byte, key *APIKey) (payment.Command, *problem) {
	cmd, err := events.ParseCommand(op, body)
	if err != nil {
		return payment.Command{}, unreadableCommand(err)
	}
	if !key.allowsProvider(cmd.Provider) {
		refused := newProblem(kindForbidden, "This API key is not allowed to use this provider.")
		refused.Field = "provider"
		return payment.Command{}, refused
	}
	if _, known := s.registry.Get(cmd.Provider); !known {
		return payment.Command{}, fieldProblem("provider", "unknown provider, see /v1/providers")
	}
	cmd.Upstream = key.upstream()
	if cmd.RequestedAt.IsZero() {
		cmd.RequestedAt = s.now().UTC()
	}
	return cmd, nil
}

// check finds what a worker is sure to refuse. A command that was taken before is not refused for it: by now it
// may have expired, or a rule may be new, and its payment goes its way all the same.
func (s *Server) check(cmd payment.Command) *problem {
	now := s.now()
	switch {
	case cmd.Ahead(now):
		return fieldProblem("requested_at", "must not be in the future; leave it out to take the time of transfer")
	case s.retention > 0 && cmd.TooOld(now.Add(min(s.retention/10, maxQueued)), s.retention):
		return fieldProblem("requested_at", "is older than the log: this order may have been paid already")
	case cmd.Expired(now):
		return fieldProblem("expires_at", "has passed")
	}
	if err := s.prefixes.Check(cmd.Upstream, cmd.Order); err != nil {
		return problemOf(err)
	}
	connector, _ := s.registry.Get(cmd.Provider)
	return problemOf(connectors.Check(connector, cmd))
}

// unreadableCommand distinguishes a malformed document from a field that is wrong.
func unreadableCommand(err error) *problem {
	var wrong *events.CommandError
	switch {
	case !errors.As(err, &wrong):
		return newProblem(kindMalformed, "")
	case wrong.Reason == events.DeadInvalid:
		return fieldProblem(wrong.Field, wrong.Problem)
	default:
		return newProblem(kindMalformed, wrong.Problem)
	}
}

// problemOf turns what connectors.Check says into a problem; nil stays nil.
func problemOf(err error) *problem {
	var wrong *payment.FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return fieldProblem(wrong.Field, wrong.Problem)
	default: // its text is not known to be free of values
		return fieldProblem("", "the provider does not support this command")
	}
}

func plainJSON(header http.Header) bool {
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	charset, encoding := params["charset"], header.Get("Content-Encoding")
	return err == nil && media == "application/json" &&
		(charset == "" || strings.EqualFold(charset, "utf-8")) &&
		(encoding == "" || strings.EqualFold(encoding, "identity"))
}
