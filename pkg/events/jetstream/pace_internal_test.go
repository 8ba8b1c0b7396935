package jetstream

import (
	"testing"
	"time"
)

// measured is a pace that has just seen appends alone and a batch take so long.
func measured(single, batch time.Duration) (*pace, time.Time) {
	p, now := &pace{}, time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	for range 100 {
		p.singleDone(now, leastSingles)
		now = now.Add(single)
	}
	if batch > 0 {
		p.batchDone(now, 100, 0, batch)
	}
	return p, now
}

func TestABatchMustPay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		single, batch  time.Duration
		singles, least int
	}{
		"a disk that is synced for each write": {330 * time.Microsecond, 8 * time.Millisecond, 32, 25},
		"a server that does not sync":          {30 * time.Microsecond, 8 * time.Millisecond, 133, 267},
		"a disk that is very slow":             {20 * time.Millisecond, 60 * time.Millisecond, leastSingles, leastBatch},
		"no batch was measured yet":            {330 * time.Microsecond, 0, 32, firstBatch},
	} {
		p, now := measured(c.single, c.batch)
		if singles, least := p.limits(now); singles != c.singles || least != c.least {
			t.Errorf("%s: %d alone, %d for a batch, want %d and %d", name, singles, least, c.singles, c.least)
		}
	}
	p, now := measured(time.Millisecond, 0)
	p.batchDone(now, 100, 50, 60*time.Millisecond) // of which it waited for 50 others before it
	if _, least := p.limits(now); least != 11 {
		t.Errorf("behind 50 others: %d for a batch, want 11", least)
	}
	if singles, least := (&pace{always: true}).limits(time.Now()); singles != 1 || least != 2 {
		t.Errorf("always: %d alone, %d for a batch", singles, least)
	}
}

// Without load no append is measured, and none waits for another.
func TestWithoutLoadAppendsGoAlone(t *testing.T) {
	t.Parallel()
	p, now := &pace{}, time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	for range 1000 {
		if singles, least := p.limits(now); singles != unlimited || least != unlimited {
			t.Fatalf("%d alone, %d for a batch", singles, least)
		}
		now = now.Add(20 * time.Millisecond)
		p.singleDone(now, 1)
	}
}

// What was measured is forgotten, so that one bad moment of the machine decides nothing for long.
func TestThePaceIsMeasuredAgain(t *testing.T) {
	t.Parallel()
	p, now := measured(30*time.Microsecond, 8*time.Millisecond)
	now = now.Add(forgetSingle + time.Second)
	if singles, least := p.limits(now); singles != unlimited || least != unlimited {
		t.Errorf("appends must go alone to be measured: %d, %d", singles, least)
	}
	for range 100 {
		now = now.Add(400 * time.Microsecond)
		p.singleDone(now, leastSingles)
	}
	if singles, least := p.limits(now); singles != leastSingles || least != firstBatch {
		t.Errorf("then a batch must be tried: %d alone, %d for a batch", singles, least)
	}
	p.batchDone(now, 100, 0, 2*time.Second) // a moment in which the machine stood still
	if _, least := p.limits(now); least != 5001 {
		t.Errorf("%d for a batch, want 5001", least)
	}
	now = now.Add(p.forget + time.Millisecond)
	if _, least := p.limits(now); least != firstBatch {
		t.Errorf("%d for a batch: another must be tried", least)
	}
	p.batchDone(now, 100, 0, 8*time.Millisecond)
	if _, least := p.limits(now); least != 21 {
		t.Errorf("%d for a batch, want 21: what was measured before counts still", least)
	}
	// The time between two appends of which one came before a batch is the batch's.
	single := p.single
	p.singleDone(now.Add(time.Second), leastSingles)
	if p.single != single {
		t.Errorf("an append took %v", p.single)
	}
}

// Where batches do not pay they are tried ever more seldom, but tried.
func TestBatchesThatDoNotPayAreTriedSeldom(t *testing.T) {
	t.Parallel()
	p, now := measured(30*time.Microsecond, 0)
	for i, pause := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		p.batchDone(now, 100, 0, 8*time.Millisecond)
		now = now.Add(pause * time.Second)
		p.singleAt = now
		if _, least := p.limits(now); least == firstBatch {
			t.Errorf("batch %d is tried before %v are over", i+2, pause*time.Second)
		}
		now = now.Add(time.Millisecond)
		if _, least := p.limits(now); least != firstBatch {
			t.Errorf("batch %d is not tried after %v", i+2, pause*time.Second)
		}
	}
	p.batchDone(now, 1000, 0, 8*time.Millisecond) // which pays
	now = now.Add(forgetBatch + time.Millisecond)
	p.singleAt = now
	if _, least := p.limits(now); least != firstBatch {
		t.Error("a batch that paid is to be measured again soon")
	}
}
