package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// ClarificationType is the CloudEvents type of a clarification.
const ClarificationType = clarification + ".requested"

// Clarification is what an upstream answers to a provider that wants to know more about a payment
// ([payment.ActionClarification]). It holds personal data, so it is treated like a command: never
// logged, and kept only until the provider has it.
type Clarification struct {
	payment.Ref
	// Fields are the values by group and field name.
	Fields map[string]map[string]string `json:"fields"`
	// Revision of the payment that asked, so that a worker that reads an older one waits for it; 0 for
	// whichever is in the log.
	Revision int `json:"revision,omitempty"`
	// RequestedAt is when the upstream answered.
	RequestedAt time.Time `json:"requested_at,omitzero"`
	// Upstream that answered, from [HeaderUpstream]; a body cannot say it.
	Upstream string `json:"-"`
}

// EncodeClarification returns the message that carries a clarification. id must be unique.
func EncodeClarification(c Clarification, id string) (Outgoing, error) {
	if err := c.Ref.Validate(); err != nil {
		return Outgoing{}, fmt.Errorf("encode clarification: %w", err)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encode clarification of %s: %w", c.Ref, err)
	}
	attributes := Attributes{
		ID: id, Source: Source, Type: ClarificationType, Subject: c.Ref.String(), Time: c.RequestedAt,
		ContentType: contentJSON, Schema: ClarificationSchemaID,
	}
	header := withUpstream(attributes.header(), c.Upstream)
	return Outgoing{Subject: ClarificationSubject(c.Ref), Header: header, Data: data}, nil
}

// DecodeClarification reads a clarification from a message of the queue, as strictly as [DecodeCommand]
// and in the same three forms. The body must name the payment of the subject. RequestedAt is filled in
// from when the message was first stored. Errors are a [*CommandError] without an operation: a
// clarification that cannot be read says nothing about its payment, which must be left as it is.
func DecodeClarification(m Message) (Clarification, error) {
	ref, long := SubjectRef(m.Subject)
	if !IsClarification(m.Subject) || !long {
		return Clarification{}, &CommandError{Reason: DeadMismatch, Problem: "not a clarification subject"}
	}
	if len(m.Data) > MaxCommandBytes {
		return Clarification{}, tooBigClarification(m.Data)
	}
	body, attributes, err := openEnvelope(m)
	if err == nil && attributes.Type != "" && attributes.Type != ClarificationType {
		err = fmt.Errorf("ce-type must be %q", ClarificationType)
	}
	if err != nil {
		return Clarification{}, &CommandError{Reason: DeadUndecodable, Ref: ref, Problem: err.Error()}
	}
	c, err := ParseClarification(body)
	if err != nil {
		return Clarification{}, err
	}
	if c.Ref != ref {
		return Clarification{}, &CommandError{Reason: DeadMismatch, Problem: "provider or order differ between subject and body"}
	}
	if c.RequestedAt.IsZero() {
		c.RequestedAt = firstStored(m)
	}
	c.Upstream = upstreamOf(m)
	return c, nil
}

func tooBigClarification(data []byte) *CommandError {
	return &CommandError{Reason: DeadTooBig, Problem: fmt.Sprintf("%d bytes, more than the %d of a clarification", len(data), MaxCommandBytes)}
}

// ParseClarification reads the JSON of a clarification, as strictly as [ParseCommand]. Names of groups and
// fields that differ only in case count as the same and are refused. What is to be left to the receiver,
// like the payment's name, may be missing. It checks the limits of the values and not whether the
// provider asked for them. Errors are a [*CommandError].
func ParseClarification(body []byte) (Clarification, error) {
	if len(body) > MaxCommandBytes {
		return Clarification{}, tooBigClarification(body)
	}
	_, doubled, problem := clarificationDocument.check(body)
	if problem != "" {
		return Clarification{}, &CommandError{Reason: DeadUndecodable, Problem: problem}
	}
	if doubled != "" {
		return Clarification{}, wrongClarification(doubled, "occurs twice")
	}
	var wire struct {
		Clarification
		RequestedAt wireTime `json:"requested_at"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&wire); err != nil {
		return Clarification{}, undecodedClarification(err)
	}
	c := wire.Clarification
	var err error
	if c.RequestedAt, err = wire.RequestedAt.parse(); err != nil {
		return Clarification{}, wrongClarification("requested_at", notATime)
	}
	if c.Revision < 0 {
		return Clarification{}, wrongClarification("revision", "must not be negative")
	}
	payment.NormaliseClarified(c.Fields)
	if err := payment.ValidateClarified(c.Fields); err != nil {
		return Clarification{}, wrongClarification("fields", strings.TrimPrefix(err.Error(), "fields: "))
	}
	return c, nil
}

// undecodedClarification names the field that could not be decoded.
func undecodedClarification(err error) *CommandError {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		field := strings.TrimPrefix(strings.TrimPrefix(wrongType.Field, "Clarification."), "Ref.") // embedded structs
		return wrongClarification(field, "must not be a JSON "+wrongType.Value)
	}
	if name, found := strings.CutPrefix(err.Error(), "json: unknown field "); found {
		return wrongClarification(strings.Trim(name, `"`), "is not a field of a clarification")
	}
	return wrongClarification("", "the body is not the JSON of a clarification")
}

// wrongClarification names the field that is wrong, and nothing below "fields": those names are the
// sender's.
func wrongClarification(field, problem string) *CommandError {
	if fold(field) == "fields" || strings.HasPrefix(fold(field), "fields.") {
		field = "fields"
	}
	if field == "" {
		return &CommandError{Reason: DeadUndecodable, Problem: problem}
	}
	return invalid("", nil, field, problem)
}
