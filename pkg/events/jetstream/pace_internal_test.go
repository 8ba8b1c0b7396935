package jetstream

import (
	"testing"
	"time"
)

// paced is a pace with a clock, and a server that stores so many appends a second alone and in batches.
type paced struct {
	pace
	now             time.Time
	single, batched float64
	inFlight        int
}

func newPaced(single, batched float64, inFlight int) *paced {
	return &paced{now: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC), single: single, batched: batched, inFlight: inFlight}
}

// append stores one append, or a batch if batches are made.
func (p *paced) append() {
	size, rate := 1, p.single
	if p.batching() {
		size, rate = p.inFlight/2, p.batched
	}
	p.now = p.now.Add(time.Duration(float64(size) / rate * float64(time.Second)))
	p.done(p.now, size, p.batching(), p.inFlight)
}

// decided goes on until a comparison, which is due, has been decided.
func (p *paced) decided(t *testing.T) {
	t.Helper()
	p.append()
	for ends := p.now.Add(time.Hour); !p.began.IsZero(); p.append() {
		if p.now.After(ends) {
			t.Fatal("no comparison has ended")
		}
	}
}

func TestBatchesAreMadeWhereTheyPay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		single, batched float64
		batches         bool
	}{
		"a disk that is synced for each write": {3000, 9000, true},
		"a server that does not sync":          {20_000, 11_000, false},
		"a server that has more than enough":   {5600, 5600, false},
		"a little more, which can be chance":   {3000, 3500, false},
		"a disk that is very slow":             {60, 400, true},
	} {
		p := newPaced(c.single, c.batched, 60)
		p.decided(t)
		singles, least := p.limits()
		if p.batches != c.batches || c.batches != (singles == singlesBeside && least == leastBatch) || c.batches != (least != unlimited) {
			t.Errorf("%s: %v, %d alone, %d for a batch", name, p.batches, singles, least)
		}
	}
	if singles, least := (&pace{always: true}).limits(); singles != 1 || least != 2 {
		t.Errorf("always: %d alone, %d for a batch", singles, least)
	}
}

// A slow moment of the machine, longer than a turn, decides nothing: the next turn of the other way is in it as well.
func TestASlowMomentDecidesNothing(t *testing.T) {
	t.Parallel()
	for slow := range turns - 1 {
		p := newPaced(5000, 4000, 60)
		for p.next.IsZero() {
			p.single, p.batched = 5000, 4000
			if p.turn == slow || p.turn == slow+1 {
				p.single, p.batched = 500, 400
			}
			p.append()
		}
		if p.batches {
			t.Errorf("slow in turns %d and %d: batches", slow, slow+1)
		}
	}
}

// Without load no append waits for another, and no batch is tried.
func TestWithoutLoadAppendsGoAlone(t *testing.T) {
	t.Parallel()
	p := newPaced(3000, 9000, underLoad-1)
	for range 100_000 {
		if singles, least := p.limits(); singles != unlimited || least != unlimited {
			t.Fatalf("%d alone, %d for a batch", singles, least)
		}
		p.append()
	}
	p.inFlight = underLoad
	p.decided(t)
	if !p.batches {
		t.Error("no batches under load")
	}
	p.inFlight = underLoad - 1
	for p.now = p.next; p.began.IsZero() || p.turn > 0; p.append() {
	}
	if _, least := p.limits(); least != unlimited {
		t.Errorf("%d for a batch after the load has gone", least)
	}
}

// A turn begins with an append that came back in its own way: the last batch before a turn without them is none of it.
func TestATurnCountsItsOwnAppends(t *testing.T) {
	t.Parallel()
	p := newPaced(3000, 3000, 60)
	for p.turn < 2 {
		p.append()
	}
	p.done(p.now, 10_000, true, 60)
	for p.turn < 3 {
		p.append()
	}
	p.done(p.now, 1, false, 60)
	if !p.since.IsZero() {
		t.Error("a single append began a turn with batches")
	}
	if one := p.measured[0].perSecond(); one > 3300 {
		t.Errorf("%v appends a second without batches", one)
	}
}

// What takes longer than a comparison may is measured again from its beginning.
func TestAComparisonDoesNotGoOnFromOldTurns(t *testing.T) {
	t.Parallel()
	p := newPaced(3000, 9000, 60)
	for p.turn < 4 {
		p.append()
	}
	p.now = p.now.Add(comparisonTime)
	if p.append(); p.turn != 0 || p.measured != [2]rate{} {
		t.Errorf("turn %d, %v", p.turn, p.measured)
	}
}

// Where batches do not pay they are tried ever more seldom, but tried; where they pay, that is checked again.
func TestBatchesAreTriedAgain(t *testing.T) {
	t.Parallel()
	p := newPaced(20_000, 11_000, 60)
	for _, pause := range []time.Duration{5, 10, 20, 40, 60, 60} {
		p.decided(t)
		if p.batches || p.next.Sub(p.now) != pause*time.Second {
			t.Errorf("%v: the next comparison is after %v, want %v s", p.batches, p.next.Sub(p.now), int(pause))
		}
		p.now = p.next.Add(-time.Second)
		if p.append(); !p.began.IsZero() {
			t.Errorf("a comparison begins %v before it is due", p.next.Sub(p.now))
		}
		p.now = p.next
	}
	p.single = 3000
	p.decided(t)
	if !p.batches || p.next.Sub(p.now) != keepBatches {
		t.Errorf("%v: the next comparison is after %v", p.batches, p.next.Sub(p.now))
	}
	p.single, p.now = 20_000, p.next
	p.decided(t)
	if p.batches || p.next.Sub(p.now) != firstPause {
		t.Errorf("%v: the next comparison is after %v", p.batches, p.next.Sub(p.now))
	}
}
