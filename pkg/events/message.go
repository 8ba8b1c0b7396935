package events

import (
	"context"
	"errors"
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

// Verdict is what a handler decides about a message. The log adapter, and nobody else, turns it into
// acknowledgements.
type Verdict struct {
	Kind   VerdictKind
	Delay  time.Duration // for Retry
	At     time.Time     // for Park
	Reason DeadReason    // for Dead
	Detail string        // for Dead, for people; without personal data
	// Subject is where to send the message on, for Forward.
	Subject string
	// Unanswered says, for Retry, that a provider was asked and gave no answer: whoever keeps the time may let others
	// go first.
	Unanswered bool
}

// VerdictKind says what happens to a message.
type VerdictKind int

// The verdicts. The zero verdict retries, so that a forgotten one loses nothing.
const (
	Retry   VerdictKind = iota // deliver again after Delay
	Done                       // finished: acknowledge
	Park                       // hold in the broker and deliver again at At
	Dead                       // keep in DEADLETTERS with the reason, then remove
	Forward                    // publish under Subject, then acknowledge
)

// DoneVerdict acknowledges.
func DoneVerdict() Verdict { return Verdict{Kind: Done} }

// RetryVerdict asks for the message again after a delay.
func RetryVerdict(delay time.Duration) Verdict { return Verdict{Kind: Retry, Delay: delay} }

// UnansweredVerdict asks for the message again after a delay, because a provider gave no answer.
func UnansweredVerdict(delay time.Duration) Verdict {
	return Verdict{Kind: Retry, Delay: delay, Unanswered: true}
}

// ParkVerdict asks for the message again at a time.
func ParkVerdict(at time.Time) Verdict { return Verdict{Kind: Park, At: at} }

// DeadVerdict gives the message up, with the reason.
func DeadVerdict(reason DeadReason, detail string) Verdict {
	return Verdict{Kind: Dead, Reason: reason, Detail: detail}
}

// ForwardVerdict sends the message on.
func ForwardVerdict(subject string) Verdict { return Verdict{Kind: Forward, Subject: subject} }

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
	DeadUnexplained     DeadReason = "unexplained"      // a signed webhook that cannot be mapped, about a payment with an outcome or with as many annotations as one keeps, or one that goes on with a payment that failed
	DeadHostile         DeadReason = "hostile_header"   // a header orders the broker to remove, hold back or forge messages
	DeadMaxDeliveries   DeadReason = "max_deliveries"   // the broker delivers it no more: somebody gave a consumer a limit
	DeadTerminated      DeadReason = "terminated"       // somebody terminated it by hand
)

// Handler works on one message. It must not keep the message. ctx ends when the process must stop or
// the lease of the message ends.
type Handler func(ctx context.Context, m Message) Verdict

// Record is one event of a payment as it stands in the log.
type Record struct {
	Sequence uint64
	ID       string // ce-id
	StoredAt time.Time
	Payment  payment.Payment
	// Unreadable says why the event cannot be read; its Payment has only a Ref then, and the status that the subject says.
	Unreadable string
}

// Errors of the log and of the queue.
var (
	// ErrStale: the payment has moved on since it was read; read it again and decide again.
	ErrStale = errors.New("the payment has moved on")
	// ErrNoPayment: the log does not know the order.
	ErrNoPayment = errors.New("the log does not know this order")
	// ErrQueued: a command of this order waits in the queue already.
	ErrQueued = errors.New("a command of this order is queued already")
	// ErrNotQueued: no command of this order waits in the queue.
	ErrNotQueued = errors.New("no command of this order is queued")
	// ErrNotParked: the broker holds no parked command of this order, or not any more.
	ErrNotParked = errors.New("no command of this order is parked")
	// ErrNoDeadLetter: there is no dead letter with this sequence, or not any more.
	ErrNoDeadLetter = errors.New("there is no such dead letter")
)
