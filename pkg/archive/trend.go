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

// Trend counts what happened in each interval. It reads indexes alone, so that a day of a million payments takes about a second; what
// it counted of whole ten minutes it remembers, so that the same chart takes milliseconds the next time.
func (s *Store) Trend(ctx context.Context, in search.Interval) (search.Trend, error) {
	if err := checkInterval(in); err != nil {
		return nil, fmt.Errorf("trend of the archive: %w", err)
	}
	count := s.trendOf
	if aligned(in) {
		count = s.trendOfCells
	}
	trend, err := count(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("trend of the archive: %w", err)
	}
	return trend, nil
}

// trendOf counts every interval.
func (s *Store) trendOf(ctx context.Context, in search.Interval) (search.Trend, error) {
	counted, err := s.countCells(ctx, in)
	if err != nil {
		return nil, err
	}
	trend := make(search.Trend, in.Count)
	for i, one := range counted {
		trend[i] = search.Counted{
			At: in.From.Add(time.Duration(i) * in.Length), Begun: one.begun, Settled: one.settled, Failed: one.failed, Half: within(one.took, 50), Most: within(one.took, 95),
		}
	}
	return trend, nil
}

// countCells counts what happened in each interval, in the database.
func (s *Store) countCells(ctx context.Context, in search.Interval) ([]cell, error) {
	counted := make([]cell, in.Count)
	if err := s.countBegun(ctx, in, counted); err != nil {
		return nil, err
	}
	if err := s.countOutcomes(ctx, in, counted); err != nil {
		return nil, err
	}
	return counted, nil
}

func checkInterval(in search.Interval) error {
	if in.Length < time.Second || in.Count < 1 || in.Count > search.MaxIntervals {
		return errors.New("not an interval")
	}
	return nil
}

// until is when the last interval ends.
func until(in search.Interval) time.Time { return in.From.Add(time.Duration(in.Count) * in.Length) }

func (s *Store) countBegun(ctx context.Context, in search.Interval, counted []cell) error {
	return s.each(ctx, s.db, func(rows *sql.Rows) error {
		var i, n int
		err := rows.Scan(&i, &n)
		if err == nil {
			counted[i].begun = n
		}
		return err
	}, "SELECT (opened_at - ?) / ?, count(*) FROM payments WHERE opened_at >= ? AND opened_at < ? GROUP BY 1",
		nanoseconds(in.From), int64(in.Length), nanoseconds(in.From), nanoseconds(until(in)))
}

func (s *Store) countOutcomes(ctx context.Context, in search.Interval, counted []cell) error {
	var class strings.Builder
	for i, bound := range tookBounds {
		fmt.Fprintf(&class, " WHEN ended_at - opened_at <= %d THEN %d", int64(bound), i)
	}
	return s.each(ctx, s.db, func(rows *sql.Rows) error {
		var i, failed, class, n int
		if err := rows.Scan(&i, &failed, &class, &n); err != nil {
			return err
		}
		if counted[i].took == nil {
			counted[i].took = make([]int, len(tookBounds)+1)
		}
		counted[i].took[class] += n
		if failed != 0 {
			counted[i].failed += n
		} else {
			counted[i].settled += n
		}
		return nil
	}, fmt.Sprintf("SELECT (ended_at - ?) / ?, CASE WHEN status = '%s' THEN 1 ELSE 0 END, CASE%s ELSE %d END, count(*)"+
		" FROM payments WHERE ended_at >= ? AND ended_at < ? AND ended_at <> 0 GROUP BY 1, 2, 3", payment.Failed, &class, len(tookBounds)),
		nanoseconds(in.From), int64(in.Length), nanoseconds(in.From), nanoseconds(until(in)))
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

// Wave counts in which interval the parked payments are tried again. Each is a range of an index, which needs no sorting: a million
// payments can be parked over a weekend.
func (s *Store) Wave(ctx context.Context, in search.Interval) (search.Wave, error) {
	w := search.Wave{Due: make([]int, max(0, min(in.Count, search.MaxIntervals)))}
	if err := checkInterval(in); err != nil {
		return w, fmt.Errorf("parked payments of the archive: %w", err)
	}
	var counts []string
	into := make([]any, in.Count+1)
	for i := range into {
		where := "status = 'parked'" // as the index has it
		if begin := in.From.Add(time.Duration(i) * in.Length); i > 0 {
			where += fmt.Sprintf(" AND resume_at >= %d", nanoseconds(begin))
		}
		if i < in.Count {
			where += fmt.Sprintf(" AND resume_at < %d", nanoseconds(in.From.Add(time.Duration(i+1)*in.Length)))
			into[i] = &w.Due[i]
		} else {
			into[i] = &w.Later
		}
		counts = append(counts, "(SELECT count(*) FROM payments WHERE "+where+")")
	}
	if err := s.db.QueryRowContext(ctx, "SELECT "+strings.Join(counts, ", ")).Scan(into...); err != nil {
		return w, fmt.Errorf("parked payments of the archive: %w", s.hide(err))
	}
	return w, nil
}
