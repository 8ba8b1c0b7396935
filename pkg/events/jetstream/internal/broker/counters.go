package broker

import "sync/atomic"

// Counters count what happened since the connection was made. InFlight is a level, all others only grow.
type Counters struct {
	InFlight       atomic.Int64 // messages that handlers work on now
	Deliveries     atomic.Int64 // messages given to handlers
	Redeliveries   atomic.Int64 // of these, those that were delivered before
	Retries        atomic.Int64 // verdict Retry
	Parked         atomic.Int64
	Forwarded      atomic.Int64
	DeadLetters    atomic.Int64 // by verdict, and by janitors
	Orphans        atomic.Int64 // of these, commands that no worker serves
	Undelivered    atomic.Int64 // messages that the broker gave up without us
	Panics         atomic.Int64 // of handlers
	Unsettled      atomic.Int64 // verdicts that could not be carried out and became retries
	Stalls         atomic.Int64 // subscriptions made again because nothing came though messages waited
	Resubscribes   atomic.Int64 // subscriptions made again for any reason
	PublishRetries atomic.Int64 // publishes that were repeated because no acknowledgement came
	Reconnects     atomic.Int64
	Batches        atomic.Int64 // of events, sent
	BatchedAppends atomic.Int64 // events in them
	BatchesFailed  atomic.Int64 // of the batches, those refused or without an answer
}
