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
	// leastBatch is the smallest batch, and leastSingles how many appends are on their way at least before others wait: a server
	// that has fewer to do can become idle while this process waits for a processor.
	leastBatch, leastSingles = 8, 32
	// busySingles is how many others must be on their way for the time of an append to be measured.
	busySingles = 4
	// forgetSingle and forgetBatch are the age at which a measurement says nothing any more, so that one bad moment of the machine
	// decides nothing for long. Appends alone are tried again for trySingles. To try a batch can take a busy disk a while: where
	// it did not pay, the time until the next doubles, up to longestForget.
	forgetSingle, forgetBatch, longestForget = 10 * time.Second, 2 * time.Second, time.Minute
	trySingles                               = 30 * time.Millisecond
)

// pace decides how many appends make a batch pay, by what both ways took lately: a batch of n must take less time than n appends
// one after the other. A batch has a price of its own (the server stages it in files), so that a few appends are always
// quicker alone, and on a server that does not sync each write so are many. Nothing tells a client when a server syncs.
//
// The times are measured where they count, between appends of this process under load. So what the network and the
// machine do is in them, on both sides alike.
type pace struct {
	always bool // whenever two appends wait

	single   time.Duration // between two appends that come back one after the other; 0: not measured yet
	batch    time.Duration // from sending a batch to its acknowledgement; 0: not measured yet
	singleAt time.Time     // when each was measured last
	batchAt  time.Time
	trying   time.Time     // until then appends go one by one
	forget   time.Duration // how long the time of a batch counts
	last     time.Time     // when an append came back while others were on their way; zero: none did
}

// limits returns how many appends may be on their way alone before others wait, and how many must wait to go as a batch.
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

// singleDone notes that an append that went alone came back, with so many others still on their way. Only under load the
// time between two of them is what one of them takes.
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

// batchDone notes how long a batch of so many appends took, of which it may have waited at the server for the appends alone
// that were on their way before it. These do not count as under load with those after it.
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
