package events

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// WebhookType is the CloudEvents type of a verified webhook.
const WebhookType = "webhook.received"

// HTTPHeaderPrefix marks the HTTP headers of a webhook among the message's headers.
const HTTPHeaderPrefix = "Payonce-Http-"

// maxWebhookHeader bounds the HTTP headers that are kept with a webhook, in bytes.
const maxWebhookHeader = 16 << 10

// Webhook is a provider's call as it was received and verified by the ingress.
type Webhook struct {
	payment.Ref
	Header     http.Header
	Body       []byte
	ReceivedAt time.Time
}

// dropped are headers, in canonical form, that can carry a person's credentials and no provider's
// signature.
var dropped = []string{"Authorization", "Cookie", "Proxy-Authorization"}

// EncodeWebhook returns the message that keeps a webhook: the body and the header exactly as received,
// except for credentials. id must be unique.
func EncodeWebhook(w Webhook, id string) (Outgoing, error) {
	if err := w.Ref.Validate(); err != nil {
		return Outgoing{}, fmt.Errorf("encode webhook: %w", err)
	}
	if w.ReceivedAt.IsZero() {
		return Outgoing{}, fmt.Errorf("encode webhook %s: it has no time", w.Ref)
	}
	attributes := Attributes{
		ID: id, Source: Source, Type: WebhookType, Subject: w.Ref.String(), Time: w.ReceivedAt,
		ContentType: w.Header.Get("Content-Type"),
	}
	header, size := attributes.header(), 0
	for _, key := range slices.Sorted(maps.Keys(w.Header)) {
		name := http.CanonicalHeaderKey(key)
		if slices.Contains(dropped, name) {
			continue
		}
		for _, value := range w.Header[key] {
			encoded := percentEncode(value)
			if size += len(name) + len(encoded); size > maxWebhookHeader {
				return Outgoing{}, fmt.Errorf("encode webhook %s: more than %d bytes of headers", w.Ref, maxWebhookHeader)
			}
			header[HTTPHeaderPrefix+name] = append(header[HTTPHeaderPrefix+name], encoded)
		}
	}
	return Outgoing{Subject: WebhookSubject(w.Ref), Header: header, Data: w.Body}, nil
}

// DecodeWebhook reads what EncodeWebhook wrote.
func DecodeWebhook(m Message) (Webhook, error) {
	ref, named := SubjectRef(m.Subject)
	if m.Header.tooLarge() {
		return Webhook{}, fmt.Errorf("decode webhook: %w", errTooManyHeaders)
	}
	attributes, err := parseAttributes(m.Header)
	switch {
	case !named:
		return Webhook{}, errors.New("decode webhook: the subject names no payment")
	case err != nil:
		return Webhook{}, fmt.Errorf("decode webhook %s: %w", ref, err)
	case attributes.Type != WebhookType || attributes.Time.IsZero():
		return Webhook{}, fmt.Errorf("decode webhook %s: not a webhook", ref)
	}
	w := Webhook{Ref: ref, Header: http.Header{}, Body: m.Data, ReceivedAt: attributes.Time}
	for key, values := range m.Header {
		name, found := cutPrefixFold(key, HTTPHeaderPrefix)
		if !found {
			continue
		}
		for _, value := range values {
			decoded, err := unescape(value) // bytes, not text: a header may be Latin-1
			if err != nil {
				return Webhook{}, fmt.Errorf("decode webhook %s: header %s: %w", ref, name, err)
			}
			w.Header.Add(name, decoded)
		}
	}
	return w, nil
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
