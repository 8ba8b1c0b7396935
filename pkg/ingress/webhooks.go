package ingress

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"

	"payonce/pkg/connectors"
	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Refusals of webhooks that are not the connector's, as they appear in CounterWebhooks.
const (
	RefusedProvider     = "unknown_provider" // no provider of this name can call us
	RefusedSource       = "source"           // from a network that is not the provider's
	RefusedOverloaded   = "overloaded"       // too many are worked on, or being read
	RefusedBusyAddress  = "busy_address"     // too much is being read from this address
	RefusedBusyProvider = "busy_provider"    // too many of this provider are worked on, or being read
	RefusedTooLarge     = "too_large"        // body or headers
	RefusedIncomplete   = "incomplete"       // the body did not arrive
	RefusedUnclassified = "unclassified"     // the connector did not say why
	RefusedOrder        = "bad_order"        // signed, but for an order number that we cannot have made
	RefusedNotStored    = "not_stored"       // the provider must call again
)

// webhook lets a provider's call in once it is verified, and answers only after it is stored.
func (s *Server) webhook(w http.ResponseWriter, r *http.Request) *problem {
	name := r.PathValue("provider")
	connector, _ := s.registry.Get(name)
	hooks, known := connector.(connectors.Webhooks)
	if !known {
		name = events.NoProvider // the name in the path is the caller's invention
	}
	answer, refusal, refused := s.receive(w, r, name, hooks)
	if refused != nil {
		s.counters.webhook(r.Context(), name, OutcomeRefused, refusal)
		s.logger.WarnContext(r.Context(), "webhook refused", "provider", name, "refusal", refusal, "reason", refused.reason, "request_id", requestOf(r).id)
		s.keepRefused(r, name, refusal, refused)
		return refused
	}
	s.counters.webhook(r.Context(), name, OutcomeAccepted, "")
	w.Header()["Content-Type"] = nil // also keeps net/http from guessing
	if answer.ContentType != "" {
		w.Header().Set("Content-Type", answer.ContentType)
	}
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(answer.Body)) // a provider that does not listen calls again
	return nil
}

func (s *Server) receive(w http.ResponseWriter, r *http.Request, name string, hooks connectors.Webhooks) (connectors.Answer, string, *problem) {
	none := connectors.Answer{}
	if hooks == nil {
		return none, RefusedProvider, newProblem(kindNotFound, "Unknown provider.")
	}
	if !s.clients.mayCall(name, r) {
		return none, RefusedSource, newProblem(kindForbidden, "Source address not allowed.")
	}
	body, refusal, refused := s.hookBody(w, r, name)
	if refused != nil {
		return none, refusal, refused
	}
	requestOf(r).hookBody, requestOf(r).hookRead = body, true
	defer requestOf(r).leave()
	if refusal, refused := s.enterHook(r, name); refused != nil {
		return none, refusal, refused
	}
	now := s.now().UTC()
	notice, err := hooks.Webhook(r.Header.Clone(), body, now)
	if err != nil {
		refusal, refused := refusedWebhook(w, err)
		return none, refusal, refused
	}
	if !payment.ValidOrder(notice.Order) {
		return none, RefusedOrder, newProblem(kindWebhookInvalid, "Unknown order number.")
	}
	webhook := events.Webhook{Ref: payment.Ref{Provider: name, Order: notice.Order}, Header: r.Header, Body: body, ReceivedAt: now}
	refusal, refused = s.store(r, webhook, webhookID(name, body, notice.Digest))
	return notice.Answer, refusal, refused
}

// hookBody reads the body of a call, before it takes a place: any client can send one that trickles.
func (s *Server) hookBody(w http.ResponseWriter, r *http.Request, provider string) (body []byte, refusal string, refused *problem) {
	address, _ := s.clients.address(r) // all whose address is not known are one
	body, refused = s.readBody(w, r, s.hookBodies, MaxWebhookBytes,
		share{neighbours(address), s.limits.BodyBytesPerSource, RefusedBusyAddress}, share{provider, s.limits.BodyBytesPerProvider, RefusedBusyProvider})
	switch {
	case refused == nil:
		return body, "", nil
	case refused.kind() == kindTooLarge:
		return nil, RefusedTooLarge, refused
	case refused.kind() == kindOverloaded:
		return nil, refused.reason, refused
	}
	return nil, RefusedIncomplete, refused
}

// enterHook takes a place for a call, and one of its provider's.
func (s *Server) enterHook(r *http.Request, provider string) (refusal string, refused *problem) {
	if refused := s.enter(r, s.ofProvider[provider]); refused != nil {
		return RefusedBusyProvider, refused
	}
	if refused := s.enter(r, s.hooks); refused != nil {
		return RefusedOverloaded, refused
	}
	return "", nil
}

// store keeps a verified webhook; without the store's word for it the provider must call again.
func (s *Server) store(r *http.Request, webhook events.Webhook, id string) (string, *problem) {
	message, err := events.EncodeWebhook(webhook, s.newID())
	if err != nil {
		return RefusedTooLarge, newProblem(kindHeaders, "Too many or too large headers.")
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.limits.BackendTimeout)
	defer cancel()
	if err := s.sink.PublishWebhook(ctx, message, id); err != nil {
		return RefusedNotStored, s.failed(r, err, "The webhook may not have been stored: send it again.",
			"provider", webhook.Provider, "order", webhook.Order)
	}
	return "", nil
}

// refusedWebhook tells a caller that is not proven to be the provider nothing about why.
func refusedWebhook(w http.ResponseWriter, err error) (string, *problem) {
	var refusal *connectors.WebhookError
	switch {
	case !errors.As(err, &refusal): // our mistake, so a true provider shall try again
		return RefusedUnclassified, newProblem(kindInternal, "")
	case refusal.Refusal == connectors.BadWebhook:
		refused := newProblem(kindWebhookInvalid, "The signature is valid, but the webhook cannot be read.")
		refused.reason = refusal.Problem
		return string(refusal.Refusal), refused
	}
	w.Header().Set("WWW-Authenticate", "Signature") // RFC 9110 wants a 401 to name a scheme
	refused := newProblem(kindWebhookRefused, "")
	refused.reason = refusal.Problem
	return string(refusal.Refusal), refused
}

// webhookID is the same for the same call sent again: the SHA-256 of provider and signed fields, in hex, or of
// provider and body where the connector names no fields. The headers are no part of it, because a provider that
// repeats a call may sign it again.
func webhookID(provider string, body []byte, digest [sha256.Size]byte) string {
	hash := sha256.New()
	hash.Write([]byte(provider)) // no provider's name holds the bytes that follow
	if digest == ([sha256.Size]byte{}) {
		hash.Write([]byte{0})
		hash.Write(body)
	} else {
		hash.Write([]byte{1})
		hash.Write(digest[:])
	}
	return hex.EncodeToString(hash.Sum(nil))
}
