package calendar

import (
	"math"
	"time"
)

const fullDay = 24 * 60 * 60 // seconds that the wall clock shows in a day

// spans gives yield the open time from t on, without the margins: from each opening to its closing, in order, until yield
// returns false. Spans may touch. All that begin until the given instant are among them; one that ends after it may go
// on in a span that is not. It isn't an iter.Seq2, which would allocate: a worker asks several times for each payment.
func (h *Hours) spans(t, until time.Time, yield func(from, to time.Time) bool) {
	if h.zone == nil {
		yield(t, until.Add(1))
		return
	}
	var opened, ended time.Time // of pieces that touch each other
	h.pieces(t.Add(-h.afterOpening), until.Add(h.beforeClosing), func(from, to time.Time) bool {
		if !from.Equal(ended) {
			opened = from
		}
		// What touches was yielded up to the margin before its end: go on there.
		begin := later(later(opened.Add(h.afterOpening), ended.Add(-h.beforeClosing)), t)
		end := to.Add(-h.beforeClosing)
		if begin.Before(end) && !yield(begin.In(t.Location()), end.In(t.Location())) {
			return false
		}
		ended = to
		return true
	})
}

// pieces gives yield the hours as they stand, margins included, that end after an instant: all that begin
// until the other, and perhaps some more. Between two changes of the zone's offset the wall clock runs
// evenly, so each such stretch is walked day by day, and what crosses a change is cut there.
func (h *Hours) pieces(after, until time.Time, yield func(from, to time.Time) bool) {
	last := until.Unix()
	for at := after.Unix(); at <= last; {
		offset, begins, ends := stretch(at, h.zone)
		for date := dayOf(at + offset); date*fullDay-offset <= min(last, ends); date++ {
			for _, iv := range h.week[weekday(date)] {
				from, to := max(date*fullDay-offset+iv.from, begins), min(date*fullDay-offset+iv.to, ends)
				if from >= to || to <= at || h.shut(date, iv) {
					continue
				}
				if !yield(time.Unix(from, 0), time.Unix(to, 0)) {
					return
				}
			}
		}
		at = ends
	}
}

// shut reports whether an interval does not happen on a date. The whole date of a closed day is closed,
// and so is what would begin on it and end on the next.
func (h *Hours) shut(date int64, iv interval) bool {
	if len(h.closed) == 0 {
		return false
	}
	_, today := h.closed[date]
	_, yesterday := h.closed[date-1]
	return today || iv.begun && yesterday
}

// stretch returns the offset of the zone at an instant and the instants at which it began and ends, in
// seconds.
func stretch(at int64, zone *time.Location) (offset, begins, ends int64) {
	local := time.Unix(at, 0).In(zone)
	_, seconds := local.Zone()
	begin, end := local.ZoneBounds()
	begins, ends = math.MinInt64, math.MaxInt64
	if !begin.IsZero() {
		begins = begin.Unix()
	}
	if !end.IsZero() {
		ends = end.Unix()
	}
	return int64(seconds), begins, ends
}

// dayOf returns the number of the day on which the wall clock shows a time: 0 is 1970-01-01.
func dayOf(wall int64) int64 {
	date := wall / fullDay
	if wall%fullDay < 0 {
		date--
	}
	return date
}

// weekday returns the weekday of a day; day 0 was a Thursday.
func weekday(date int64) time.Weekday {
	return time.Weekday(((date+int64(time.Thursday))%7 + 7) % 7)
}
