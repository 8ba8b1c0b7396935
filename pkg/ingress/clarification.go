package ingress

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// clarify takes the answer to a provider that wants to know more about a payment. It is answered with the
// payment as it stands, which waits for the answer until a worker has given it to the provider.
func (s *Server) clarify(w http.ResponseWriter, r *http.Request) *problem {
	ref, refused := refOf(r)
	if refused != nil {
		return refused
	}
	c, refused := s.readClarification(w, r, ref)
	if refused != nil {
		return refused
	}
	p, err := s.find(r.Context(), ref, requestOf(r).key.upstream())
	if refused := s.readable(r, p, err, ref); refused != nil {
		return refused
	}
	if refused := s.answers(p, c); refused != nil {
		return refused
	}
	c.RequestedAt, c.Revision, c.Upstream = s.now().UTC(), p.Revision, requestOf(r).key.upstream()
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	message, err := events.EncodeClarification(c, s.newID())
	if err == nil {
		err = s.commands.PublishClarification(ctx, message, clarificationID(c))
	}
	switch {
	case errors.Is(err, events.ErrQueued):
		return newProblem(kindClarified, "Another answer is being sent to the provider. Read the payment before you send a new one.")
	case err != nil:
		return s.failed(r, err, "The answer may have been accepted: send the same request again.", "provider", ref.Provider, "order", ref.Order)
	}
	writeJSON(w, http.StatusAccepted, events.DataOf(p))
	return nil
}

// readClarification reads the body, which need not name the payment again.
func (s *Server) readClarification(w http.ResponseWriter, r *http.Request, ref payment.Ref) (events.Clarification, *problem) {
	if !plainJSON(r.Header) {
		return events.Clarification{}, newProblem(kindMediaType, "Send application/json in UTF-8, not compressed.")
	}
	body, refused := s.keyBody(w, r)
	if refused != nil {
		return events.Clarification{}, refused
	}
	c, err := events.ParseClarification(body)
	if err != nil {
		return events.Clarification{}, unreadableCommand(err)
	}
	switch {
	case c.Provider != "" && c.Provider != ref.Provider:
		return events.Clarification{}, fieldProblem("provider", "must match the path, or be left out")
	case c.Order != "" && c.Order != ref.Order:
		return events.Clarification{}, fieldProblem("order", "must match the path, or be left out")
	}
	c.Ref = ref
	return c, nil
}

// answers says why a clarification is not what the payment's provider waits for; nil when it is.
func (s *Server) answers(p payment.Payment, c events.Clarification) *problem {
	connector, _ := s.registry.Get(p.Provider)
	_, able := connector.(connectors.Clarifier)
	question, asks := p.Clarification()
	switch {
	case !able:
		return newProblem(kindNotAsked, "This provider does not accept clarifications.")
	case c.Revision > p.Revision: // a replica of the log that lags behind what the client saw
		return newProblem(kindUnavailable, "This revision of the payment is not known yet: send the same request again.")
	case !asks:
		return newProblem(kindNotAsked, "The provider is not waiting for an answer about this payment.")
	case c.Revision != 0 && c.Revision != p.Revision:
		return newProblem(kindNotAsked, "The payment has changed since this revision: read it again for what the provider asks now.")
	}
	if wrong := payment.ProblemsOf(question.Check(c.Fields)); len(wrong) > 0 {
		refused := invalidFields(wrong)
		refused.Field = wrong[0].Field // which names only what the provider named
		return refused
	}
	return nil
}

// clarificationID is the same for the same answer to the same question, so that a request that is sent
// again is kept once: the SHA-256 of the payment's name and revision and of the values, in hex.
func clarificationID(c events.Clarification) string {
	values, err := json.Marshal(c.Fields) // with sorted names
	if err != nil {
		panic("ingress: texts cannot fail to encode: " + err.Error())
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", c.Ref, c.Revision, values))
	return hex.EncodeToString(sum[:])
}
