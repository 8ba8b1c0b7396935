package events

import "time"

// Personal is a message beside the log of payments that holds personal data of a payment's customer.
type Personal struct {
	Stream   string
	Subject  string
	Sequence uint64 // in the stream
	StoredAt time.Time
	// Needed says why the message cannot be erased yet; empty for one that can.
	Needed string
}
