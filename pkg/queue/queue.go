// Package queue is what a consumer of messages agrees on with the code that delivers them: a [Handler] gets a message and
// answers with a [Verdict]. Nothing of it is on the wire.
package queue

import (
	"context"
	"time"

	"payonce/pkg/events"
	"payonce/pkg/payment"
)

// Handler works on one message. It must not keep the message. ctx ends when the process must stop or
// the lease of the message ends.
type Handler func(ctx context.Context, m events.Message) Verdict

// Verdict is what a handler decides about a message. The code that delivers messages, and no other, turns it into
// acknowledgements.
type Verdict struct {
	Kind   Kind
	Delay  time.Duration     // for Retry
	At     time.Time         // for Park
	Reason events.DeadReason // for Dead
	Detail string            // for Dead, for people; without personal data
	// Problems are, for Dead, the fields that are wrong, where that is why.
	Problems payment.FieldErrors
	// Subject is where to send the message on, for Forward.
	Subject string
	// Unanswered says, for Retry, that a provider was asked and gave no answer: the timer may let others
	// go first.
	Unanswered bool
}

// Kind says what happens to a message.
type Kind int

// The kinds. The zero verdict retries, so that a forgotten one loses nothing.
const (
	Retry   Kind = iota // deliver again after Delay
	Done                // finished: acknowledge
	Park                // hold in the broker and deliver again at At
	Dead                // keep in DEADLETTERS with the reason, then remove
	Forward             // publish under Subject, then acknowledge
)

// Acknowledge is the verdict of a message that is finished.
func Acknowledge() Verdict { return Verdict{Kind: Done} }

// RetryAfter asks for the message again after a delay.
func RetryAfter(delay time.Duration) Verdict { return Verdict{Kind: Retry, Delay: delay} }

// Unanswered asks for the message again after a delay, because a provider gave no answer.
func Unanswered(delay time.Duration) Verdict {
	return Verdict{Kind: Retry, Delay: delay, Unanswered: true}
}

// ParkUntil asks for the message again at a time.
func ParkUntil(at time.Time) Verdict { return Verdict{Kind: Park, At: at} }

// DeadLetter gives the message up, with the reason.
func DeadLetter(reason events.DeadReason, detail string) Verdict {
	return Verdict{Kind: Dead, Reason: reason, Detail: detail}
}

// Refuse gives up a message with fields that are wrong; there is at least one.
func Refuse(reason events.DeadReason, problems payment.FieldErrors) Verdict {
	return Verdict{Kind: Dead, Reason: reason, Detail: events.ShownProblems(problems).Error(), Problems: problems}
}

// ForwardTo sends the message on.
func ForwardTo(subject string) Verdict { return Verdict{Kind: Forward, Subject: subject} }
