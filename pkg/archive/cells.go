package archive

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"payonce/pkg/search"
)

const (
	// cellLength is the time of which the counts are remembered together. The intervals of charts are multiples of it.
	cellLength = 10 * time.Minute
	// cellSettles is how long after a cell's end an event of it can still be stored: its outcome has the time of a worker's clock.
	cellSettles = time.Minute
	// cellsAgain of those that are remembered are counted again each time, in turn: now and then an outcome is corrected, and what a
	// gap was closed with comes late.
	cellsAgain = 4
	// maxCells bounds what is remembered: two weeks.
	maxCells = 14 * 24 * 6
)

// cell is what happened in a while.
type cell struct {
	begun, settled, failed int
	took                   []int  // outcomes by how long they took, see tookBounds; nil for none
	counted                uint64 // when: the number of the count
	complete               bool   // when it was counted the archive had read on until after its end
}

// cells are what was counted, by when it began. The times of a chart are over but for the newest, so that they need no second look.
type cells struct {
	mu     sync.Mutex
	known  map[int64]cell // by nanoseconds
	counts uint64
}

// aligned reports whether an interval is made of whole cells.
func aligned(in search.Interval) bool {
	return in.Length%cellLength == 0 && in.From.Equal(in.From.Truncate(cellLength)) && in.Length/cellLength*time.Duration(in.Count) <= maxCells
}

// trendOfCells counts an interval of whole cells: those that are not known, or may have changed.
func (s *Store) trendOfCells(ctx context.Context, in search.Interval) (search.Trend, error) {
	s.cells.mu.Lock()
	defer s.cells.mu.Unlock()
	at, err := s.Position(ctx)
	if err != nil {
		return nil, err
	}
	s.cells.counts++
	for _, run := range s.cells.due(in) {
		found, err := s.countCells(ctx, run)
		if err != nil {
			return nil, err
		}
		for i, one := range found {
			begin := run.From.Add(time.Duration(i) * cellLength)
			one.counted, one.complete = s.cells.counts, !at.StoredAt.Before(begin.Add(cellLength+cellSettles))
			s.cells.known[begin.UnixNano()] = one
		}
	}
	s.cells.forget(until(in))
	trend := make(search.Trend, in.Count)
	for i := range trend {
		trend[i] = s.cells.sum(in.From.Add(time.Duration(i)*in.Length), in.Length)
	}
	return trend, nil
}

// due returns the cells of an interval that must be counted, in runs without a gap between them.
func (c *cells) due(in search.Interval) (runs []search.Interval) {
	if c.known == nil {
		c.known = map[int64]cell{}
	}
	end, again := until(in), c.oldest(in)
	for at := in.From; at.Before(end); at = at.Add(cellLength) {
		one, known := c.known[at.UnixNano()]
		if known && one.complete && !again[at.UnixNano()] {
			continue
		}
		if n := len(runs); n > 0 && until(runs[n-1]).Equal(at) {
			runs[n-1].Count++
			continue
		}
		runs = append(runs, search.Interval{From: at, Length: cellLength, Count: 1})
	}
	return runs
}

// oldest are the cells of an interval that were counted longest ago, and not just now.
func (c *cells) oldest(in search.Interval) map[int64]bool {
	var old []int64
	for at := range c.known {
		if at >= in.From.UnixNano() && at < until(in).UnixNano() {
			old = append(old, at)
		}
	}
	slices.SortFunc(old, func(a, b int64) int {
		return cmp.Or(cmp.Compare(c.known[a].counted, c.known[b].counted), cmp.Compare(a, b))
	})
	again := map[int64]bool{}
	for _, at := range old[:min(len(old), cellsAgain)] {
		again[at] = true
	}
	return again
}

// forget drops the cells that began first where there are too many.
func (c *cells) forget(end time.Time) {
	if len(c.known) <= 2*maxCells {
		return
	}
	for at := range c.known {
		if at < end.Add(-maxCells*cellLength).UnixNano() {
			delete(c.known, at)
		}
	}
}

// sum is what happened in an interval of whole cells.
func (c *cells) sum(from time.Time, length time.Duration) search.Counted {
	all := search.Counted{At: from}
	took := make([]int, len(tookBounds)+1)
	for at := from; at.Before(from.Add(length)); at = at.Add(cellLength) {
		one := c.known[at.UnixNano()]
		all.Begun, all.Settled, all.Failed = all.Begun+one.begun, all.Settled+one.settled, all.Failed+one.failed
		for class, n := range one.took {
			took[class] += n
		}
	}
	all.Half, all.Most = within(took, 50), within(took, 95)
	return all
}
