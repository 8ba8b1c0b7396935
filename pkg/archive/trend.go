package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// tookBounds are the classes in which times to an outcome are counted: each is a third longer than the one before, from 50 ms to weeks.
var tookBounds = func() (bounds []time.Duration) {
	for d := 50 * time.Millisecond; d < 60*24*time.Hour; d = d * 4 / 3 {
		bounds = append(bounds, d)
	}
	return bounds
}()

// Trend counts what happened in each interval. It reads indexes alone, so that a day of a million payments takes about a second.
func (s *Store) Trend(ctx context.Context, in search.Interval) (search.Trend, error) {
	if err := checkInterval(in); err != nil {
		return nil, fmt.Errorf("trend of the archive: %w", err)
	}
	trend := make(search.Trend, in.Count)
	for i := range trend {
		trend[i].At = in.From.Add(time.Duration(i) * in.Length)
	}
	if err := s.countBegun(ctx, in, trend); err != nil {
		return nil, fmt.Errorf("trend of the archive: %w", err)
	}
	if err := s.countOutcomes(ctx, in, trend); err != nil {
		return nil, fmt.Errorf("trend of the archive: %w", err)
	}
	return trend, nil
}

func checkInterval(in search.Interval) error {
	if in.Length < time.Second || in.Count < 1 || in.Count > search.MaxIntervals {
		return errors.New("not an interval")
	}
	return nil
}

// until is when the last interval ends.
func until(in search.Interval) time.Time { return in.From.Add(time.Duration(in.Count) * in.Length) }

func (s *Store) countBegun(ctx context.Context, in search.Interval, trend search.Trend) error {
	return s.each(ctx, s.db, func(rows *sql.Rows) error {
		var i, n int
		err := rows.Scan(&i, &n)
		if err == nil {
			trend[i].Begun = n
		}
		return err
	}, "SELECT (opened_at - ?) / ?, count(*) FROM payments WHERE opened_at >= ? AND opened_at < ? GROUP BY 1",
		nanoseconds(in.From), int64(in.Length), nanoseconds(in.From), nanoseconds(until(in)))
}

func (s *Store) countOutcomes(ctx context.Context, in search.Interval, trend search.Trend) error {
	var class strings.Builder
	for i, bound := range tookBounds {
		fmt.Fprintf(&class, " WHEN ended_at - opened_at <= %d THEN %d", int64(bound), i)
	}
	took := make([][]int, in.Count)
	err := s.each(ctx, s.db, func(rows *sql.Rows) error {
		var i, failed, class, n int
		if err := rows.Scan(&i, &failed, &class, &n); err != nil {
			return err
		}
		if took[i] == nil {
			took[i] = make([]int, len(tookBounds)+1)
		}
		took[i][class] += n
		if failed != 0 {
			trend[i].Failed += n
		} else {
			trend[i].Settled += n
		}
		return nil
	}, fmt.Sprintf("SELECT (ended_at - ?) / ?, CASE WHEN status = '%s' THEN 1 ELSE 0 END, CASE%s ELSE %d END, count(*)"+
		" FROM payments WHERE ended_at >= ? AND ended_at < ? AND ended_at <> 0 GROUP BY 1, 2, 3", payment.Failed, &class, len(tookBounds)),
		nanoseconds(in.From), int64(in.Length), nanoseconds(in.From), nanoseconds(until(in)))
	for i, counts := range took {
		trend[i].Half, trend[i].Most = within(counts, 50), within(counts, 95)
	}
	return err
}

// within returns within how long so many of 100 had their outcome.
func within(counts []int, percent int) time.Duration {
	sums, total := make([]int, len(counts)), 0
	for i, n := range counts {
		total += n
		sums[i] = total
	}
	if total == 0 {
		return 0
	}
	wanted := (total*percent + 99) / 100
	return tookBounds[min(sort.SearchInts(sums, wanted), len(tookBounds)-1)]
}

// Wave counts in which interval the parked payments are tried again.
func (s *Store) Wave(ctx context.Context, in search.Interval) (search.Wave, error) {
	w := search.Wave{Due: make([]int, max(0, min(in.Count, search.MaxIntervals)))}
	if err := checkInterval(in); err != nil {
		return w, fmt.Errorf("parked payments of the archive: %w", err)
	}
	end := nanoseconds(until(in))
	err := s.each(ctx, s.db, func(rows *sql.Rows) error {
		var i, n int
		if err := rows.Scan(&i, &n); err != nil {
			return err
		}
		if i >= in.Count {
			w.Later += n
		} else {
			w.Due[max(i, 0)] += n
		}
		return nil
	}, "SELECT CASE WHEN resume_at < ? THEN 0 WHEN resume_at >= ? THEN ? ELSE (resume_at - ?) / ? END, count(*) FROM payments WHERE status = ? GROUP BY 1",
		nanoseconds(in.From), end, int64(in.Count), nanoseconds(in.From), int64(in.Length), string(payment.Parked))
	if err != nil {
		return w, fmt.Errorf("parked payments of the archive: %w", err)
	}
	return w, nil
}
