package statistics

import (
	"sync"
	"time"
)

// MetricLogStalled is how many seconds ago this process, which counts what is open, stopped to read the log although there are
// events that it has not read; 0 while it reads.
const MetricLogStalled = "payonce.log.stalled"

// progress is how far [Reporter.FollowHeaders] has read the log. It is safe for concurrent use.
type progress struct {
	mu        sync.Mutex
	following bool
	last      uint64 // sequence of the last event that was read
	stoodAt   uint64 // where it was when it was seen behind, since stoodAt did not change
	since     time.Time
}

func (p *progress) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.following = true
}

// reach notes how far the log was read.
func (p *progress) reach(sequence uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = sequence
}

// compare looks whether the reading goes on, given where the log ends.
func (p *progress) compare(end uint64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.last >= end:
		p.since = time.Time{}
	case p.since.IsZero() || p.stoodAt != p.last:
		p.stoodAt, p.since = p.last, now
	}
}

// stalled returns for how long nothing was read although there is something. known is false for a process that does not follow the
// log.
func (p *progress) stalled(now time.Time) (age time.Duration, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() || p.stoodAt != p.last {
		return 0, p.following
	}
	return max(now.Sub(p.since), 0), p.following
}
