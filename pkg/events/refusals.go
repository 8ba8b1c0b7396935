package events

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// StreamRefusals keeps, for those who published them, why commands were refused.
const StreamRefusals = "REFUSALS"

// RefusalType is the CloudEvents type of a refusal.
const RefusalType = "command.refused"

// NoUpstream is in a refusal's subject where the command was published for no upstream. No upstream can have this name.
const NoUpstream = "~"

// MaxRefusalBytes bounds the message of a refusal, and RefusalsPerOrder how many are kept of one order and upstream.
const (
	MaxRefusalBytes  = 32 << 10
	RefusalsPerOrder = 8
)

// Refusal says why a command, or a clarification, became a dead letter. It holds no value of the message: no personal data and
// no text that its publisher chose but the names of fields. The JSON is on the wire and only ever added to.
type Refusal struct {
	// Provider and Order are empty where the message names no payment.
	Provider string `json:"provider,omitempty"`
	Order    string `json:"order,omitempty"`
	// Message is the subject under which it was published, without provider and order: "deposit.requested".
	Message  string     `json:"message"`
	Upstream string     `json:"upstream,omitempty"` // that published it
	Reason   DeadReason `json:"reason"`
	Detail   string     `json:"detail,omitempty"` // for people
	// Errors are all fields that are wrong, where there are some.
	Errors    []RefusedField `json:"errors,omitempty"`
	RefusedAt time.Time      `json:"refused_at"`
	// PublishedAt, Stream and Sequence are those of the message: the acknowledgement of the publish has them too.
	PublishedAt time.Time `json:"published_at"`
	Stream      string    `json:"stream"`
	Sequence    uint64    `json:"sequence"`
}

// RefusedField is one field that is wrong.
type RefusedField struct {
	Pointer string `json:"pointer"` // into the command, RFC 6901; of a name that may not be shown only what it is in
	Detail  string `json:"detail"`
}

// ErrNoRefusal: no refusal is kept of an order.
var ErrNoRefusal = errors.New("no refusal is kept")

// Ref returns the payment that was named; the zero Ref for none.
func (r Refusal) Ref() payment.Ref { return payment.Ref{Provider: r.Provider, Order: r.Order} }

// NewRefusal returns the refusal of a message of a stream; ok is false for one that no upstream published. problems are all
// that is wrong with its fields, where that is the reason.
func NewRefusal(stream string, m Message, reason DeadReason, detail string, problems payment.FieldErrors, at time.Time) (r Refusal, ok bool) {
	op, command := SubjectOperation(m.Subject)
	message := ShortSubject(op)
	if IsClarification(m.Subject) {
		command, message = true, join(clarification, "requested")
	}
	if !command {
		return Refusal{}, false
	}
	ref := refusedRef(m)
	return Refusal{
		Provider: ref.Provider, Order: ref.Order, Message: message, Upstream: upstreamOf(m), Reason: reason,
		Detail: shownDetail(detail, problems), Errors: RefusedFields(problems), RefusedAt: at.UTC(),
		PublishedAt: m.StoredAt.UTC(), Stream: stream, Sequence: m.Sequence,
	}, true
}

// refusedRef returns the payment that a message is about: the one that its subject names, or its body where a short subject
// names none. Both are names that were checked.
func refusedRef(m Message) payment.Ref {
	if ref, long := SubjectRef(m.Subject); long {
		return ref
	}
	if op, _ := SubjectOperation(m.Subject); m.Subject != ShortSubject(op) {
		return payment.Ref{}
	}
	var wrong *CommandError
	switch cmd, err := DecodeCommand(m); {
	case errors.As(err, &wrong):
		return wrong.Ref
	case cmd.Ref.Validate() == nil:
		return cmd.Ref
	}
	return payment.Ref{}
}

// ShownProblems returns problems with the names of fields that may be shown.
func ShownProblems(problems payment.FieldErrors) payment.FieldErrors {
	shown := make(payment.FieldErrors, 0, len(problems))
	for _, one := range problems {
		shown = append(shown, &payment.FieldError{Field: ShownField(one.Field), Problem: one.Problem})
	}
	return shown
}

// RefusedFields returns problems as they are told.
func RefusedFields(problems payment.FieldErrors) (all []RefusedField) {
	for _, one := range ShownProblems(problems) {
		all = append(all, RefusedField{Pointer(one.Field), one.Problem})
	}
	return all
}

// Pointer turns the path of a field that may be shown into a JSON pointer: "account.last_digits[0]" is "/account/last_digits/0".
// Nothing in such a path needs an escape. That of the whole document is "".
func Pointer(field string) string {
	if field == "" {
		return ""
	}
	return "/" + strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(field)
}

// private is what a detail may not tell: what is not ASCII, addresses and long numbers.
var private = regexp.MustCompile(`\S*[^ -~]\S*|\S*@\S*|[0-9][0-9-]{6,}`)

const maxRefusalDetail = 500

func shownDetail(detail string, problems payment.FieldErrors) string {
	if len(problems) > 0 {
		detail = ShownProblems(problems).Error()
	} else {
		detail = private.ReplaceAllString(detail, "…")
	}
	if len(detail) > maxRefusalDetail {
		detail = strings.ToValidUTF8(detail[:maxRefusalDetail], "") + "…"
	}
	return detail
}

// RefusalSubject is where a refusal is kept, e.g. "command.refused.shop.teemopay-kr.D-1". Where the message named no payment, its
// own place in its stream stands there: "command.refused.shop.unknown.INTAKE-shop-17". The account of an upstream sees its own
// refusals without its name: "command.refused.teemopay-kr.D-1".
func RefusalSubject(r Refusal) string {
	provider, order := r.Provider, r.Order
	if r.Ref().Validate() != nil {
		provider, order = NoProvider, fmt.Sprintf("%s-%d", r.Stream, r.Sequence)
	}
	return join("command", "refused", upstreamToken(r.Upstream), provider, order)
}

// RefusalOf is where the refusals of an order are that were published for an upstream; for none it is "".
func RefusalOf(upstream string, ref payment.Ref) string {
	return join("command", "refused", upstreamToken(upstream), ref.Provider, ref.Order)
}

// WrittenRefusal is where the broker repeats each refusal after it was stored, for the accounts of upstreams.
const WrittenRefusal = written + ".command.refused.>"

// RefusalsOfAll matches the refusals of all upstreams.
const RefusalsOfAll = "command.refused.*.*.*"

// RefusalsOfOrder matches the refusals of an order, whichever upstream published the commands.
func RefusalsOfOrder(ref payment.Ref) string {
	return join("command", "refused", "*", ref.Provider, ref.Order)
}

// RefusalsOf matches all refusals of an upstream.
func RefusalsOf(upstream string) string {
	return join("command", "refused", upstreamToken(upstream), "*", "*")
}

func upstreamToken(upstream string) string {
	if !payment.ValidUpstream(upstream) {
		return NoUpstream
	}
	return upstream
}

// EncodeRefusal returns the message that keeps a refusal. id is the same for the same message refused again.
func EncodeRefusal(r Refusal, id string) (Outgoing, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return Outgoing{}, fmt.Errorf("encode refusal: %w", err)
	}
	attributes := Attributes{
		ID: id, Source: Source, Type: RefusalType, Time: r.RefusedAt, ContentType: contentJSON, Schema: RefusalSchemaID,
	}
	if r.Ref().Validate() == nil {
		attributes.Subject = r.Ref().String()
	}
	return Outgoing{Subject: RefusalSubject(r), Header: withUpstream(attributes.header(), r.Upstream), Data: data}, nil
}

// DecodeRefusal reads a refusal.
func DecodeRefusal(data []byte) (r Refusal, err error) {
	if err := Unmarshal(data, &r); err != nil || r.Reason == "" || r.RefusedAt.IsZero() {
		return Refusal{}, errors.New("decode refusal: it is not one")
	}
	return r, nil
}
