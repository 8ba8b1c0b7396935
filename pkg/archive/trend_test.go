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
