package events

import (
	"errors"
	"regexp"
	"time"

	"payonce/pkg/payment"
)

// Message is a message of the queue as a handler sees it, free of any broker's types.
type Message struct {
	Subject    string
	Header     Header
	Data       []byte
	Sequence   uint64    // in its stream
	Deliveries int       // how often it was delivered, this time included
	StoredAt   time.Time // when the broker took it
	Delivered  uint64    // rises with each delivery by the same consumer, to whichever reader
	Pending    uint64    // at that delivery: how many messages the broker has not delivered yet to any reader of the same consumer
}

// Header is a set of message headers. Keys are compared without regard to case, as NATS says.
type Header map[string][]string

// DeadReason says why a message lies in DEADLETTERS. Its text is on the wire and only ever added to.
type DeadReason string

// The reasons of dead letters.
const (
	DeadUndecodable     DeadReason = "undecodable"      // not JSON, or not the JSON of a command or a clarification
	DeadTooBig          DeadReason = "too_big"          // more bytes than a command may have
	DeadInvalid         DeadReason = "invalid"          // a field is not acceptable
	DeadUnknownProvider DeadReason = "unknown_provider" // this provider is not configured
	DeadMismatch        DeadReason = "subject_mismatch" // subject and body name different payments
	DeadOrderReused     DeadReason = "order_reused"     // another command under a known order
	DeadTooOld          DeadReason = "too_old"          // requested before the log's retention, or a clarification that came too late
	DeadUnknownOrder    DeadReason = "unknown_order"    // a webhook for an order that never came
	DeadBadWebhook      DeadReason = "bad_webhook"      // a webhook that does not verify or cannot be read
	DeadUnexplained     DeadReason = "unexplained"      // a signed webhook that cannot be mapped, about a payment with an outcome or with as many annotations as one keeps, one that reports a transfer more than a payment keeps, or one that goes on with a payment that failed
	DeadHostile         DeadReason = "hostile_header"   // a header orders the broker to remove, hold back or forge messages
	DeadMaxDeliveries   DeadReason = "max_deliveries"   // the broker stopped delivering it: a consumer was given a limit
	DeadTerminated      DeadReason = "terminated"       // it was terminated manually
	DeadEndpoint        DeadReason = "endpoint_failed"  // an endpoint did not take the event in all the time of its attempts
)

// Record is one event of a payment as it is in the log.
type Record struct {
	Sequence uint64
	ID       string // ce-id
	StoredAt time.Time
	Payment  payment.Payment
	// Unreadable says why the event cannot be read; its Payment has only a Ref then, and the status that the subject says.
	Unreadable string
	// Trace is the id of the trace in which the event was written, 32 hexadecimal digits; empty where none was.
	Trace string
}

// traceParent is a W3C trace context as a header has it.
var traceParent = regexp.MustCompile(`^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}`)

// TraceOf returns the id of the trace that a message belongs to; empty where it names none.
func TraceOf(h Header) string {
	for _, name := range []string{"traceparent", "ce-traceparent"} {
		if m := traceParent.FindStringSubmatch(h.Get(name)); m != nil {
			return m[1]
		}
	}
	return ""
}

// Errors of the log and of the queue.
var (
	// ErrStale: the payment has moved on since it was read; read it again and decide again.
	ErrStale = errors.New("the payment has moved on")
	// ErrNoPayment: the log does not know the order.
	ErrNoPayment = errors.New("the log does not know this order")
	// ErrQueued: a command of this order waits in the queue already.
	ErrQueued = errors.New("a command of this order is already queued")
	// ErrNotQueued: no command of this order waits in the queue.
	ErrNotQueued = errors.New("no command of this order is queued")
	// ErrNotParked: the broker holds no parked command of this order, or not any more.
	ErrNotParked = errors.New("no command of this order is parked")
	// ErrNoDeadLetter: there is no dead letter with this sequence, or not any more.
	ErrNoDeadLetter = errors.New("no such dead letter")
	// ErrNoSubject: a dead letter does not name a place to send it to.
	ErrNoSubject = errors.New("not a subject to publish to")
	// ErrTruncated: only a part of a message was kept, because it was too big to be worked.
	ErrTruncated = errors.New("only a part of the message was stored")
)
