package jetstream

import "sync/atomic"

// Stats counts what happened since Connect. InFlight is a level, all others only grow.
type Stats struct {
	InFlight       int64  // messages that handlers work on now
	Deliveries     uint64 // messages given to handlers
	Redeliveries   uint64 // of these, those that were delivered before
	Retries        uint64 // verdict Retry
	Parked         uint64
	Forwarded      uint64
	DeadLetters    uint64 // by verdict, by SweepOrphans and by WatchAdvisories
	Orphans        uint64 // of these, by SweepOrphans
	Undelivered    uint64 // messages that the broker gave up without us, heard of by WatchAdvisories or found by RescueUndelivered
	Panics         uint64 // of handlers
	Unsettled      uint64 // verdicts that could not be carried out and became retries
	Stalls         uint64 // subscriptions made again because nothing came though messages waited
	Resubscribes   uint64 // subscriptions made again for any reason
	PublishRetries uint64 // publishes that were repeated because no acknowledgement came
	Reconnects     uint64
}

type counters struct {
	inFlight                                                      atomic.Int64
	deliveries, redeliveries, retries, parked, forwarded          atomic.Uint64
	deadLetters, orphans, panics, unsettled, stalls, resubscribes atomic.Uint64
	publishRetries, reconnects, undelivered                       atomic.Uint64
}

// Stats returns the counters.
func (c *Conn) Stats() Stats {
	s := &c.stat
	return Stats{
		InFlight: s.inFlight.Load(), Deliveries: s.deliveries.Load(), Redeliveries: s.redeliveries.Load(),
		Retries: s.retries.Load(), Parked: s.parked.Load(), Forwarded: s.forwarded.Load(),
		DeadLetters: s.deadLetters.Load(), Orphans: s.orphans.Load(), Panics: s.panics.Load(),
		Unsettled: s.unsettled.Load(), Stalls: s.stalls.Load(), Resubscribes: s.resubscribes.Load(),
		Undelivered: s.undelivered.Load(), PublishRetries: s.publishRetries.Load(), Reconnects: s.reconnects.Load(),
	}
}
