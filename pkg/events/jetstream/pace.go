package jetstream

import (
	"math"
	"time"
)

// unlimited is a limit that no number of appends reaches.
const unlimited = math.MaxInt

const (
	// singlesBeside is how many appends may be in flight alone before others wait for a batch, and leastBatch how many must wait
	// for one, where batches are made.
	singlesBeside, leastBatch = 8, 8
	// underLoad is how many appends must be in flight on average for a measurement: with fewer, appends come back as they are made.
	underLoad = 16
	// A comparison has turns of at least turnTime, with and without batches one after the other, so that a slow moment of the machine
	// is in both. One that is not complete in comparisonTime begins again.
	turns, turnTime, comparisonTime = 6, 100 * time.Millisecond, 5 * time.Second
	// batchGain is by what factor there must be more appends a second with batches. It is more than what two measurements of the same
	// usually differ by.
	batchGain = 1.2
	// keepBatches is how long batches are made before the next comparison. Without them, the pause before it doubles from the first to
	// the longest: a comparison of what does not pay costs a worker of 128 slots about 0.1 s.
	keepBatches              = 20 * time.Second
	firstPause, longestPause = 5 * time.Second, time.Minute
)

// pace decides whether appends go in batches, by which way made more of them in a second lately. A batch has a cost of its own
// (the server stages it in files), so it pays on a server that syncs each write and not on others. A client cannot ask when a
// server syncs. The time of one append does not tell either: on a busy machine that is mostly the wait for a processor.
type pace struct {
	always bool // whenever two appends wait

	batches bool          // decided by the last comparison
	next    time.Time     // when the next comparison begins
	pause   time.Duration // before that one, if batches did not pay

	began    time.Time // of the comparison; zero: none is on its way
	turn     int
	measured [2]rate // without and with batches

	since time.Time // when the first append of the turn came back; zero: none did
	rate  rate      // of this turn
	load  int       // sum of the appends in flight, over the appends
}

// rate is a number of appends in a time.
type rate struct {
	appends int
	took    time.Duration
}

func (r rate) perSecond() float64 { return float64(r.appends) / r.took.Seconds() }

// limits returns how many single appends may be in flight before others wait, and how many must wait to go as a batch.
func (p *pace) limits() (singles, least int) {
	switch {
	case p.always:
		return 1, 2
	case p.batching():
		return singlesBeside, leastBatch
	}
	return unlimited, unlimited
}

// batching reports whether batches are made now: after a comparison as it was decided, in a comparison in every second turn.
func (p *pace) batching() bool {
	if p.began.IsZero() {
		return p.batches
	}
	return p.turn%2 == 1
}

// done notes that a single append, or a batch of size appends, was stored while so many were in flight, itself included.
func (p *pace) done(now time.Time, size int, batch bool, inFlight int) {
	switch {
	case p.always || now.Before(p.next):
		return
	case p.began.IsZero() || now.Sub(p.began) > comparisonTime:
		p.begin(now)
	}
	if p.since.IsZero() {
		if batch == p.batching() { // the last ones of the turn before do not count
			p.since = now
		}
		return
	}
	p.rate.appends += size
	p.load += size * inFlight
	if p.rate.took = now.Sub(p.since); p.rate.took >= turnTime {
		p.endTurn(now)
	}
}

// begin begins a comparison.
func (p *pace) begin(now time.Time) {
	*p = pace{pause: p.pause, began: now}
}

func (p *pace) endTurn(now time.Time) {
	if p.load < underLoad*p.rate.appends {
		p.begin(now)
		return
	}
	of := &p.measured[p.turn%2]
	of.appends += p.rate.appends
	of.took += p.rate.took
	p.turn, p.since, p.rate, p.load = p.turn+1, time.Time{}, rate{}, 0
	if p.turn == turns {
		p.decide(now)
	}
}

// decide ends a comparison.
func (p *pace) decide(now time.Time) {
	p.began = time.Time{}
	if p.batches = p.measured[1].perSecond() > batchGain*p.measured[0].perSecond(); p.batches {
		p.next, p.pause = now.Add(keepBatches), 0
		return
	}
	p.pause = min(max(2*p.pause, firstPause), longestPause)
	p.next = now.Add(p.pause)
}
