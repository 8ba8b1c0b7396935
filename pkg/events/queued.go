package events

import (
	"strings"
	"time"

	"payonce/pkg/payment"
)

// Queued is what the queue knows of an order. The JSON is on the wire between workers and an ingress in an account of its
// own, and only ever added to.
type Queued struct {
	// Payment that the command asks for, with the command's fingerprint; empty where the command cannot be read.
	Payment payment.Payment `json:"payment,omitzero"`
	// Parked says that the broker holds the command until a time: the log knows more than the queue.
	Parked bool `json:"parked,omitempty"`
	// Unreadable says that it is no command.
	Unreadable bool `json:"unreadable,omitempty"`
	// Upstream that published what is unreadable; empty where it has none. A payment names its own.
	Upstream string `json:"upstream,omitempty"`
}

// QueuedOf returns what a message of the queue says of its order. A command's personal data are not in it.
func QueuedOf(m Message) Queued {
	if _, waits := SubjectOperation(m.Subject); !waits {
		return Queued{Parked: true}
	}
	cmd, err := DecodeCommand(m)
	if err != nil {
		return Queued{Unreadable: true, Upstream: upstreamOf(m)}
	}
	return Queued{Payment: payment.New(cmd)}
}

// QueuedRef returns the payment that a subject of [QueuedSubject] names.
func QueuedRef(subject string) (payment.Ref, bool) {
	tokens := strings.Split(subject, ".")
	if len(tokens) != 3 || tokens[0] != "queued" {
		return payment.Ref{}, false
	}
	ref := payment.Ref{Provider: tokens[1], Order: tokens[2]}
	return ref, ref.Validate() == nil
}

// Parked is a command that the broker holds until a time.
type Parked struct {
	// Message as it will be delivered; Deliveries is not known and 0.
	Message
	Due time.Time // zero when it cannot be read
}
