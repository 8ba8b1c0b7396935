package ingress

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
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
	cmd, unread, refused := s.parse(op, body, &key.APIKey)
	if refused != nil {
		return accepted{}, refused
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	wrong := s.check(cmd, unread)
	if len(unread) > 0 { // what was read is not the command: it can be no duplicate
		return accepted{}, s.refuse(ctx, w, cmd, wrong)
	}
	p, duplicate, err := s.enqueue(ctx, cmd, len(wrong) == 0)
	reused := errors.Is(err, errReused)
	switch {
	case len(wrong) > 0 && reused && p.Operation != "" && p.Operation != op:
		return accepted{}, reusedOrder(w, p, cmd)
	case len(wrong) > 0 && (errors.Is(err, errUnknown) || reused || errors.Is(err, errForeign)):
		return accepted{}, invalidFields(wrong)
	case errors.Is(err, errForeign):
		return accepted{}, newProblem(kindReused, "")
	case reused:
		return accepted{}, reusedOrder(w, p, cmd)
	case err != nil:
		return accepted{}, s.failed(r, err, "The command may have been accepted: send the same request again.",
			"provider", cmd.Provider, "order", cmd.Order)
	}
	return answerTo(p, duplicate), nil
}

// parse reads a command and finds out whether this key may send it. unread are the fields that could not be read: the command
// is then what is left of it.
func (s *Server) parse(op payment.Operation, body []byte, key *APIKey) (cmd payment.Command, unread payment.FieldErrors, refused *problem) {
	cmd, err := events.ParseCommand(op, body)
	if err != nil {
		var wrong *events.CommandError
		if !errors.As(err, &wrong) || wrong.Reason != events.DeadInvalid {
			return cmd, nil, unreadableCommand(err)
		}
		var readable bool
		if cmd, readable = wrong.Partial(); !readable {
			return cmd, nil, unreadableCommand(err)
		}
		unread = wrong.All
	}
	if payment.ValidProvider(cmd.Provider) && !key.allowsProvider(cmd.Provider) {
		refused := newProblem(kindForbidden, "This API key is not allowed to use this provider.")
		refused.Field = "provider"
		return cmd, nil, refused
	}
	cmd.Upstream = key.upstream()
	if cmd.RequestedAt.IsZero() {
		cmd.RequestedAt = s.now().UTC()
	}
	return cmd, unread, nil
}

// check finds what a worker is sure to refuse, after what could not be read. A command that was taken before is not refused for
// it: by now it may have expired, or a rule may be new, and its payment goes its way all the same.
func (s *Server) check(cmd payment.Command, unread payment.FieldErrors) payment.FieldErrors {
	now, wrong := s.now(), slices.Clone(unread)
	switch {
	case cmd.Ahead(now):
		wrong.Say("requested_at", "must not be in the future; leave it out to take the time of transfer")
	case s.retention > 0 && cmd.TooOld(now.Add(min(s.retention/10, maxQueued)), s.retention):
		wrong.Say("requested_at", "is older than the log: this order may have been paid already")
	}
	if cmd.Expired(now) {
		wrong.Say("expires_at", "has passed")
	}
	if cmd.Order != "" {
		wrong.Add(payment.ProblemsOf(s.prefixes.Check(cmd.Upstream, cmd.Order))...)
	}
	connector, known := s.registry.Get(cmd.Provider)
	if known {
		return connectors.Problems(connector, cmd, wrong)
	}
	if cmd.Provider != "" && payment.ValidProvider(cmd.Provider) {
		wrong.Say("provider", "unknown provider, see /v1/providers")
	}
	wrong.Add(payment.ProblemsOf(cmd.Validate())...)
	return wrong
}

// refuse returns why a command that could not be read is not taken: that its order is one of the other operation comes first.
func (s *Server) refuse(ctx context.Context, w http.ResponseWriter, cmd payment.Command, wrong payment.FieldErrors) *problem {
	if cmd.Ref.Validate() == nil {
		if p, err := s.find(ctx, cmd.Ref, cmd.Upstream); err == nil && p.Operation != cmd.Operation {
			return reusedOrder(w, p, cmd)
		}
	}
	return invalidFields(wrong)
}

// reusedOrder is the problem of a command whose order number is that of another one of the same upstream. p is empty where that
// cannot be read.
func reusedOrder(w http.ResponseWriter, p payment.Payment, cmd payment.Command) *problem {
	refused := newProblem(kindReused, "The order number was used for another command, which is unchanged.")
	refused.Field = "order"
	if p.Order == "" {
		return refused
	}
	w.Header().Set("Location", "/v1/payments/"+p.Ref.String())
	if refused.Errors = pointedAt(p.Differences(cmd)); len(refused.Errors) == 0 {
		refused.Detail += " They differ in what is not kept: the method, the customer, the account, the return URL, the language, the description or the expiry."
	}
	return refused
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

func plainJSON(header http.Header) bool {
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	charset, encoding := params["charset"], header.Get("Content-Encoding")
	return err == nil && media == "application/json" &&
		(charset == "" || strings.EqualFold(charset, "utf-8")) &&
		(encoding == "" || strings.EqualFold(encoding, "identity"))
}
