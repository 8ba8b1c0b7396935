package connectors

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"payonce/pkg/payment"
)

// Class says what an error of Submit means for the money.
type Class int

// The classes. The zero class is InDoubt, so that an unclassified error is in doubt.
const (
	// InDoubt: the request may have been executed.
	InDoubt Class = iota
	// Rejected: the provider decided, by a documented answer, that it will not execute this payment.
	Rejected
	// NotSent: it is proven that nothing was executed: no byte of the request was written, or the
	// provider documents the answer as "not processed".
	NotSent
	// Throttled: the provider documents the answer as "not processed, come back later".
	Throttled
	// Misconfigured: the provider refuses our account and not this payment (a wrong signature, an unknown
	// merchant, a channel that is not open for us), so nothing was executed. The payment waits until the
	// account is put right.
	Misconfigured
)

// String returns the class as it appears in metrics and logs.
func (c Class) String() string {
	switch c {
	case Rejected:
		return "rejected"
	case NotSent:
		return "not_sent"
	case Throttled:
		return "throttled"
	case Misconfigured:
		return "misconfigured"
	default:
		return "in_doubt"
	}
}

// Error is a failed call of a provider, with the evidence for its class. It holds no secret and no
// personal data: never put a request or a customer's field into it.
type Error struct {
	Class Class
	// Code is one of the payment.Reason… constants.
	Code string
	// ProviderCode is the provider's own code as written, e.g. "426", or "http_503".
	ProviderCode string
	// Message is the provider's text, or ours, for people; cut to a sane length.
	Message string
	// Evidence says why the class is justified: the document, or what was seen on the wire.
	Evidence string
	// RetryAfter is how long the provider asks to wait; zero when it does not say.
	RetryAfter time.Duration
	// Reference is the provider's number of the payment, where the answer names our order and gives one.
	Reference string
	// Known says that the answer shows that the provider has this order (a refused duplicate): look it
	// up and adopt it.
	Known bool
	// Refused says, for InDoubt, that the answer is a well-formed refusal of this request that names no order
	// and carries no data, by a code that no page gives a meaning. It proves nothing by itself; see
	// [Traits].RefusalLeavesNoOrder.
	Refused bool
	// Claimed is, for an error that [Error.Unconfirmed] put in doubt, the class that its answer has if it is ours.
	Claimed Class
	// Err is the cause, if there is one.
	Err error
}

func (e *Error) Error() string {
	text := e.Class.String() + ": " + e.Code
	if e.ProviderCode != "" {
		text += " (" + e.ProviderCode + ")"
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.Err != nil && !strings.HasSuffix(e.Message, e.Err.Error()) { // a message can be made of its cause
		text += fmt.Sprintf(": %v", e.Err)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// Unconfirmed puts a refusal in doubt that names no order and came over a connection which had carried another
// request: it can be a second answer to that one, and ours be executed. A look-up decides, and an order that
// the provider then does not know is sent again over a connection of its own.
func (e *Error) Unconfirmed() *Error {
	if e.Class == InDoubt {
		return e
	}
	doubt := *e
	doubt.Claimed, doubt.Class, doubt.Code = e.Class, InDoubt, payment.ReasonIndeterminate
	doubt.Refused = e.Class == Rejected
	doubt.Evidence = "names no order, on a connection that carried another request, so it may answer that one: " + e.Evidence
	if doubt.Message == "" {
		doubt.Message = "a refusal without an order number, on a connection that carried another request"
	}
	return &doubt
}

// Reason returns what the payment's event says about this error.
func (e *Error) Reason() *payment.Reason {
	return &payment.Reason{Code: e.Code, ProviderCode: e.ProviderCode, Message: e.Message}
}

// Classify returns the classified error in err's chain. An error that no connector classified becomes
// InDoubt with payment.ReasonNoAnswer.
func Classify(err error) *Error {
	var classified *Error
	if errors.As(err, &classified) {
		return classified
	}
	return &Error{Class: InDoubt, Code: payment.ReasonNoAnswer, Evidence: "not classified", Err: err}
}

// ClassOf returns the class of err; InDoubt for everything that no connector classified.
func ClassOf(err error) Class { return Classify(err).Class }

// WebhookRefusal says why a webhook was not let in. Its text appears in metrics and dead letters.
type WebhookRefusal string

// The refusals.
const (
	BadSignature  WebhookRefusal = "bad_signature"  // missing, wrong, doubled, or made with another key
	StaleWebhook  WebhookRefusal = "stale"          // its time is too far from ours
	BadWebhook    WebhookRefusal = "malformed"      // signed, but not readable
	WrongProvider WebhookRefusal = "wrong_provider" // signed, but for another account
)

// WebhookError is a webhook that was refused. It never holds the body.
type WebhookError struct {
	Refusal WebhookRefusal
	Problem string
}

func (e *WebhookError) Error() string { return string(e.Refusal) + ": " + e.Problem }
