package jetstream

import (
	"math"
	"time"
)

// unlimited is a limit that no number of appends reaches.
const unlimited = math.MaxInt

const (
	// firstBatch is how many appends make a batch while it is not known what one takes.
	firstBatch = 32
	// leastBatch is the smallest batch, and leastSingles how many single appends are at least in flight before others wait: a
	// server with fewer can become idle while this process waits for a processor.
	leastBatch, leastSingles = 8, 32
	// busySingles is how many others must be in flight for the time of an append to be measured.
	busySingles = 4
	// forgetSingle and forgetBatch are the age at which a measurement expires, so that one slow moment of the machine does not
	// decide for long. Single appends are tried again for trySingles. Trying a batch can take a busy disk a while: where it did
	// not pay, the time until the next try doubles, up to longestForget.
	forgetSingle, forgetBatch, longestForget = 10 * time.Second, 2 * time.Second, time.Minute
	trySingles                               = 30 * time.Millisecond
)

// pace decides how many appends make a batch pay, from what both took lately: a batch of n must take less time than n appends one
// after the other. A batch has a cost of its own (the server stages it in files), so a few appends are always quicker one by
// one, and many are on a server that does not sync each write. A client cannot ask when a server syncs.
//
// The times are measured between appends of this process under load, so the network and the machine are in both alike.
type pace struct {
	always bool // whenever two appends wait

	single   time.Duration // between two appends that come back one after the other; 0: not measured yet
	batch    time.Duration // from sending a batch to its acknowledgement; 0: not measured yet
	singleAt time.Time     // when each was measured last
	batchAt  time.Time
	trying   time.Time     // appends go one by one until then
	forget   time.Duration // how long the time of a batch counts
	last     time.Time     // when an append came back while others were in flight; zero: none did
}

// limits returns how many single appends may be in flight before others wait, and how many must wait to go as a batch.
func (p *pace) limits(now time.Time) (singles, least int) {
	switch {
	case p.always:
		return 1, 2
	case now.Before(p.trying):
		return unlimited, unlimited
	case now.Sub(p.singleAt) > forgetSingle:
		p.trying = now.Add(trySingles)
		return unlimited, unlimited
	case now.Sub(p.batchAt) > p.forget:
		least = firstBatch
	default:
		least = max(leastBatch, 1+int(p.batch/max(p.single, 1)))
	}
	return max(leastSingles, least/2), least
}

// singleDone notes that a single append came back while others were in flight. Only under load is the time between two of them
// what one of them takes.
func (p *pace) singleDone(now time.Time, others int) {
	if others < busySingles {
		p.last = time.Time{}
		return
	}
	if !p.last.IsZero() {
		if now.Sub(p.singleAt) > forgetSingle {
			p.single = 0
		}
		p.single, p.singleAt = smoothed(p.single, now.Sub(p.last), 32), now
	}
	p.last = now
}

// batchDone notes how long a batch of size appends took. It may have waited at the server for the single appends ahead of it,
// whose time is subtracted. The next single append starts a new measurement.
func (p *pace) batchDone(now time.Time, size, ahead int, took time.Duration) {
	took = max(took-time.Duration(ahead)*p.single, took/8)
	if now.Sub(p.batchAt) > p.forget {
		p.batch = 0
	}
	p.batch, p.batchAt, p.last = smoothed(p.batch, took, 8), now, time.Time{}
	if p.batch < time.Duration(size)*p.single {
		p.forget = forgetBatch
	} else {
		p.forget = min(max(2*p.forget, forgetBatch), longestForget)
	}
}

// smoothed is a moving average, in which the newest value weighs one of weight.
func smoothed(average, value time.Duration, weight int) time.Duration {
	if average == 0 {
		return value
	}
	return average + (value-average)/time.Duration(weight)
}
