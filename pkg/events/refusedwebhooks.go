package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// StreamRefusedWebhooks keeps for a short time what the ingress refused, masked, so that a person can see what was sent.
const StreamRefusedWebhooks = "REFUSED_WEBHOOKS"

// RefusedWebhookType is the CloudEvents type of a webhook that was refused.
const RefusedWebhookType = "webhook.refused"

// Of each provider the last RefusedPerBucket webhooks are kept for each of RefusedBuckets buckets, into which the ingress sorts
// source addresses: a sender of many pushes out only what came before into the same buckets of the same provider.
const (
	RefusedBuckets   = 4
	RefusedPerBucket = 4
)

// MaxRefusedBody bounds the masked body of a refused webhook that is kept, and MaxRefusedBytes its whole message.
const (
	MaxRefusedBody  = 8 << 10
	MaxRefusedBytes = 16 << 10
)

// RefusedWebhook is a call that the ingress refused. It holds nothing that identifies a person but the address that it came
// from, and no secret. The JSON is on the wire and only ever added to.
type RefusedWebhook struct {
	Provider string `json:"provider"` // [NoProvider] where the path names none
	// Path is what the path names instead, if it could be the name of a provider.
	Path       string    `json:"path,omitempty"`
	Refusal    string    `json:"refusal"`           // as in the metric payonce.webhooks
	Reason     string    `json:"reason,omitempty"`  // as in the log
	Address    string    `json:"address,omitempty"` // of the client
	RequestID  string    `json:"request_id"`        // as in the log
	ReceivedAt time.Time `json:"received_at"`
	// ContentType is the media type, without parameters.
	ContentType string          `json:"content_type,omitempty"`
	Headers     []RefusedHeader `json:"headers"`
	// BodyBytes and BodySHA256 are of the body as it was received; both are left out where it was not read.
	BodyBytes  int    `json:"body_bytes,omitempty"`
	BodySHA256 string `json:"body_sha256,omitempty"`
	// Body is the masked body, a JSON document or a form; left out for anything else. Truncated says that only the beginning
	// is kept.
	Body      string `json:"body,omitempty"`
	Truncated bool   `json:"truncated,omitempty"`
}

// RefusedHeader is an HTTP header without its value.
type RefusedHeader struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	// SHA256 is that of the value, for a signature only: a short value could be guessed.
	SHA256 string `json:"sha256,omitempty"`
}

// RefusedSubject is where a refused webhook is kept, e.g. "webhook.refused.teemopay-kr.3".
func RefusedSubject(provider string, bucket int) string {
	if !payment.ValidProvider(provider) {
		provider = NoProvider
	}
	return join("webhook", "refused", provider, strconv.Itoa(bucket))
}

// IsRefusedWebhook reports whether a subject is one of [RefusedSubject].
func IsRefusedWebhook(subject string) bool { return strings.HasPrefix(subject, "webhook.refused.") }

// EncodeRefusedWebhook returns the message that keeps a refused webhook. id must be unique.
func EncodeRefusedWebhook(w RefusedWebhook, bucket int, id string) (Outgoing, error) {
	if w.Provider == "" || w.Refusal == "" || w.ReceivedAt.IsZero() || bucket < 0 || bucket >= RefusedBuckets {
		return Outgoing{}, errors.New("encode refused webhook: provider, refusal, received_at and a bucket are required")
	}
	data, err := json.Marshal(w)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encode refused webhook: %w", err)
	}
	attributes := Attributes{ID: id, Source: Source, Type: RefusedWebhookType, Subject: w.Provider, Time: w.ReceivedAt, ContentType: contentJSON}
	return Outgoing{Subject: RefusedSubject(w.Provider, bucket), Header: attributes.header(), Data: data}, nil
}

// DecodeRefusedWebhook reads what EncodeRefusedWebhook wrote. Fields that this version does not know are ignored.
func DecodeRefusedWebhook(data []byte) (RefusedWebhook, error) {
	var w RefusedWebhook
	if err := json.Unmarshal(data, &w); err != nil {
		return RefusedWebhook{}, fmt.Errorf("decode refused webhook: %w", err)
	}
	return w, nil
}
