package statistics

import (
	"testing"
	"time"
)

// A reader that stands still is seen, one that is slow isn't, and a process that doesn't follow the log says nothing.
func TestAReaderThatStandsStillIsSeen(t *testing.T) {
	began := time.Unix(1_700_000_000, 0)
	var p progress
	p.compare(5, began)
	if _, known := p.stalled(began.Add(time.Hour)); known {
		t.Error("it does not follow the log, and says how far it is")
	}
	p.begin()
	for i, step := range []struct {
		reached, end uint64 // 0: reads nothing
		after, want  time.Duration
	}{
		{0, 5, 10 * time.Second, 10 * time.Second}, // it has read nothing from the start
		{3, 5, 20 * time.Second, 0},                // it reads
		{0, 9, 30 * time.Second, 10 * time.Second}, // and stands still
		{0, 12, 40 * time.Second, 20 * time.Second},
		{12, 12, 50 * time.Second, 0},
		{0, 12, time.Hour, 0}, // nothing is written
		{0, 13, time.Hour + time.Second, 0},
		{13, 13, time.Hour + 2*time.Second, 0},
	} {
		if step.reached > 0 {
			p.reach(step.reached)
		}
		p.compare(step.end, began.Add(step.after))
		if got, known := p.stalled(began.Add(step.after)); got != step.want || !known {
			t.Errorf("step %d: %s, %t, want %s", i, got, known, step.want)
		}
	}
}
