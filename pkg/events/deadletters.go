package events

import "time"

// Headers of a dead letter, beside those of the message itself.
const (
	HeaderDeadReason     = "Payonce-Dead-Reason"     // a DeadReason
	HeaderDeadDetail     = "Payonce-Dead-Detail"     // for people, at most 500 bytes
	HeaderDeadSubject    = "Payonce-Dead-Subject"    // the message's subject
	HeaderDeadStream     = "Payonce-Dead-Stream"     // the message's stream
	HeaderDeadSequence   = "Payonce-Dead-Sequence"   // the message's sequence there
	HeaderDeadDeliveries = "Payonce-Dead-Deliveries" // how often it was delivered
	HeaderDeadAt         = "Payonce-Dead-At"         // when it was given up, RFC 3339
	// HeaderDeadTruncated, where only a part was kept, is how many bytes the whole message had, headers included.
	HeaderDeadTruncated = "Payonce-Dead-Truncated"
)

// HeaderReplayOf, on a message that a person sent again, is the sequence of its dead letter.
const HeaderReplayOf = "Payonce-Replay-Of"

// DeadLetter is a message that was given up.
type DeadLetter struct {
	Sequence uint64     // of the dead letter, in DEADLETTERS
	StoredAt time.Time  // when the broker took it
	At       time.Time  // when it was given up
	Reason   DeadReason // why
	Detail   string     // for people
	Stream   string     // where the message was
	// Truncated is the size of the whole message where only a part was kept; 0 for one that is whole.
	Truncated int
	// Message as it was. Its StoredAt is not known any more and zero; Header has the Payonce-Dead- headers
	// too and lacks those of the broker.
	Message Message
}
