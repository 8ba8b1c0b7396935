package archive_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"payonce/pkg/archive"
	"payonce/pkg/events"
	"payonce/pkg/payment"
	"payonce/pkg/search"
)

// Each payment is counted where it began and where it had its outcome, on both databases, and none beside the interval.
func TestTrend(t *testing.T) {
	onBoth(t, func(t *testing.T, place archive.Location) {
		s, log := openAt(t, place), newLog()
		var messages []events.Message
		at := func(p payment.Payment, after time.Duration) {
			p.UpdatedAt = start.Add(after)
			messages = append(messages, log.add(t, p))
		}
		for i := range 10 { // begun at 1 to 19 s, in steps of two
			order := fmt.Sprintf("D-%d", i)
			at(deposit(order, payment.Submitting, 1), 0)
			outcome := payment.Settled
			if i%5 == 4 {
				outcome = payment.Failed
			}
			at(deposit(order, outcome, 2), 30*time.Second+time.Duration(i)*time.Second) // at 30 to 39 s
		}
		at(deposit("D-0", payment.Reversed, 3), time.Hour) // its outcome stays where it was
		at(deposit("D-4", payment.Conflict, 3), time.Hour) // no longer a failed one
		at(deposit("P-1", payment.Pending, 1), time.Minute)
		put(t, s, messages...)
		trend, err := s.Trend(bounded(t), search.Interval{From: start.Add(10 * time.Second), Length: 10 * time.Second, Count: 3})
		if err != nil {
			t.Fatal(err)
		}
		begun, settled, failed := 0, 0, 0
		for i, c := range trend {
			if !c.At.Equal(start.Add(time.Duration(10*(i+1)) * time.Second)) {
				t.Errorf("interval %d begins at %s", i, c.At)
			}
			begun, settled, failed = begun+c.Begun, settled+c.Settled, failed+c.Failed
		}
		if begun != 6 || trend[0].Begun != 5 || trend[2].Settled != 9 || trend[2].Failed != 1 || settled != 9 || failed != 1 {
			t.Errorf("%+v", trend)
		}
		// The times are from 20 s (D-9) to 29 s (D-0).
		if h, m := trend[2].Half, trend[2].Most; h < 20*time.Second || h > 39*time.Second || m < 29*time.Second || m > 39*time.Second {
			t.Errorf("half within %s, most within %s", h, m)
		}
		if _, err := s.Trend(bounded(t), search.Interval{From: start, Length: time.Second, Count: search.MaxIntervals + 1}); err == nil {
			t.Error("too many intervals")
		}
	})
}

// What was counted of a time that is over is remembered, and still true: what comes into the newest ten minutes is counted at once, what is
// corrected in older ones comes with the counts that follow, and a chart of remembered counts is the one of new ones.
func TestTrendIsRemembered(t *testing.T) {
	onBoth(t, func(t *testing.T, place archive.Location) {
		s, log := openAt(t, place), newLog()
		day := start.Truncate(24 * time.Hour)
		event := func(p payment.Payment, at time.Time) {
			p.UpdatedAt = at
			m := log.add(t, p)
			m.StoredAt = at
			put(t, s, m)
		}
		for i := range 60 {
			at := day.Add(time.Duration(i) * 4 * time.Minute)
			event(deposit(fmt.Sprintf("D-%d", i), payment.Submitting, 1), at)
			event(deposit(fmt.Sprintf("D-%d", i), payment.Failed, 2), at.Add(time.Minute))
		}
		in := search.Interval{From: day, Length: 30 * time.Minute, Count: 12}
		count := func(fresh bool) search.Trend {
			t.Helper()
			of := s
			if fresh {
				of = openAt(t, place)
			}
			trend, err := of.Trend(bounded(t), in)
			if err != nil {
				t.Fatal(err)
			}
			return trend
		}
		if first, again := count(false), count(false); !slices.Equal(first, again) || !slices.Equal(first, count(true)) {
			t.Errorf("%+v\n%+v", first, again)
		}
		archive.Exec(t, s, "DELETE FROM payments WHERE order_number = 'D-1'") // what no one tells the cache of
		if remembered := count(false); remembered[0].Begun != count(true)[0].Begun+1 {
			t.Error("the times that are over were counted again, all of them")
		}
		event(deposit("D-99", payment.Submitting, 1), day.Add(237*time.Minute)) // into the newest ten minutes
		if newest := count(false)[7]; newest.Begun != count(true)[7].Begun {
			t.Errorf("%+v, want one more", newest)
		}
		for range 36 / 4 {
			count(false)
		}
		if remembered := count(false); !slices.Equal(remembered, count(true)) {
			t.Errorf("%+v\n%+v", remembered, count(true))
		}
	})
}

// Parked payments are counted where they are tried again: those of before at once, and those of after apart.
func TestWave(t *testing.T) {
	onBoth(t, func(t *testing.T, place archive.Location) {
		s, log := openAt(t, place), newLog()
		for i, after := range []time.Duration{-time.Hour, 0, 30 * time.Minute, 61 * time.Minute, 119 * time.Minute, 2 * time.Hour, 48 * time.Hour} {
			p := deposit(fmt.Sprintf("P-%d", i), payment.Parked, 1)
			p.ResumeAt = start.Add(after)
			put(t, s, log.add(t, p))
		}
		gone := deposit("P-9", payment.Parked, 1)
		gone.ResumeAt = start
		put(t, s, log.add(t, gone), log.add(t, deposit("P-9", payment.Submitting, 2)))
		w, err := s.Wave(bounded(t), search.Interval{From: start, Length: time.Hour, Count: 2})
		if err != nil || !slices.Equal(w.Due, []int{3, 2}) || w.Later != 2 {
			t.Errorf("%+v, %v", w, err)
		}
	})
}
