package events

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
