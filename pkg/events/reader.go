package events

import "time"

// Reader is a consumer that reads the log of payments: a ledger, a notifier, the archive.
type Reader struct {
	Name        string
	Description string
	Filters     []string // subjects; empty for all
	// Durable says that the broker remembers how far it read. One that isn't ends with its process.
	Durable bool
	Paused  bool
	// Waiting is how many events it has not been given yet, Unacknowledged how many it was given and did not acknowledge, and
	// Redelivered how many of these were given again.
	Waiting, Unacknowledged, Redelivered int
	Deliveries                           uint64 // since it was made, repeated ones included
	// Acknowledged is the sequence up to which it acknowledged all, and AcknowledgedAt when it last did so; zero for never.
	Acknowledged   uint64
	AcknowledgedAt time.Time
	DeliveredAt    time.Time // the last time; zero for never
	MadeAt         time.Time
}
