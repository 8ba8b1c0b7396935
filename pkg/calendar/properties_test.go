package calendar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"payonce/pkg/calendar"
)

// plan is a random configuration together with what it means, written down a second time: minute by
// minute from the wall clock, without any of the package's code.
type plan struct {
	config        calendar.Config
	zone          *time.Location
	hours         map[time.Weekday][][2]int // minutes; an end above 1440 lies on the next day
	closed        map[date]bool
	after, before int // margins, minutes
	start         time.Time
	open          []bool // by minute since start, margins taken off
}

// date is a day of the wall clock.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(at time.Time) date {
	year, month, day := at.Date()
	return date{year, month, day}
}

const planDays = 4

var changes = map[string][]string{ // a day before and after these the properties are tried
	"Asia/Seoul":          {"2026-11-20T00:00:00Z", "1988-10-08T18:00:00Z"},
	"+09:00":              {"2026-12-31T15:00:00Z", "1969-12-31T15:00:00Z"},
	"-03:30":              {"2026-02-28T00:00:00Z"},
	"America/New_York":    {"2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"},
	"Europe/Berlin":       {"2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"},
	"Australia/Lord_Howe": {"2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"},
	"America/Sao_Paulo":   {"2018-11-04T03:00:00Z"}, // at midnight
	"Pacific/Apia":        {"2011-12-30T10:00:00Z"}, // a whole day
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func drawPlan(t *rapid.T) *plan {
	p := &plan{hours: map[time.Weekday][][2]int{}, closed: map[date]bool{}}
	var zones []string
	for name := range changes {
		zones = append(zones, name)
	}
	slices.Sort(zones)
	p.config.Zone = rapid.SampledFrom(zones).Draw(t, "zone")
	p.zone = mustZone(p.config.Zone)
	change, _ := time.Parse(time.RFC3339, rapid.SampledFrom(changes[p.config.Zone]).Draw(t, "change"))
	p.start = change.Add(-time.Duration(rapid.IntRange(0, 48*60).Draw(t, "lead")) * time.Minute)
	p.drawWeek(t)
	for d := range planDays + 2 {
		day := p.start.In(p.zone).AddDate(0, 0, d-1)
		if rapid.IntRange(0, 5).Draw(t, "closed") == 0 && !p.closed[dateOf(day)] {
			p.closed[dateOf(day)] = true
			p.config.Closed = append(p.config.Closed, day.Format(time.DateOnly)+" a day")
			p.config.ClosedKnownUntil = "2027-12-31"
		}
	}
	margin := rapid.SampledFrom([]int{0, 0, 1, 5, 45, 180})
	p.after, p.before = margin.Draw(t, "after"), margin.Draw(t, "before")
	p.config.MarginAfterOpening = time.Duration(p.after) * time.Minute
	p.config.MarginBeforeClosing = time.Duration(p.before) * time.Minute
	return p
}

// drawWeek draws for each day up to four edges of two intervals, of which the last may lie on the next
// day, whose edges then come after it: so hours never overlap, and may touch.
func (p *plan) drawWeek(t *rapid.T) {
	edge := rapid.OneOf(rapid.IntRange(0, 1440), rapid.SampledFrom([]int{0, 60, 90, 120, 150, 180, 1439, 1440}))
	tail := rapid.SampledFrom([]int{0, 0, 1, 60, 100, 120, 150, 200})
	tails := rapid.SliceOfN(tail, 7, 7).Draw(t, "minutes on the next day")
	for weekday, name := range dayNames {
		edges := rapid.SliceOfNDistinct(edge, 0, 4, rapid.ID).Draw(t, name)
		if tails[weekday] > 0 {
			edges = append(edges, 1440+tails[weekday])
		}
		// After the end of the day before; and an interval is shorter than a day.
		edges = slices.DeleteFunc(edges, func(e int) bool { return e < tails[(weekday+6)%7] || e <= tails[weekday] && tails[weekday] > 0 })
		slices.Sort(edges)
		edges = edges[len(edges)%2:] // the last one is an end
		var texts []string
		for i := 0; i < len(edges); i += 2 {
			if edges[i] == 1440 { // 24:00 is no beginning: the next day's 00:00 is
				continue
			}
			p.hours[time.Weekday(weekday)] = append(p.hours[time.Weekday(weekday)], [2]int{edges[i], edges[i+1]})
			texts = append(texts, clock(edges[i])+"-"+clock(edges[i+1]))
		}
		if len(texts) > 0 {
			p.config.Week = append(p.config.Week, calendar.Rule{Days: name, Hours: strings.Join(texts, ", ")})
		}
	}
}

func clock(minute int) string {
	if minute > 1440 {
		minute -= 1440
	}
	return fmt.Sprintf("%02d:%02d", minute/60, minute%60)
}

func mustZone(name string) *time.Location {
	if at, err := time.Parse("-07:00", name); err == nil {
		_, offset := at.Zone()
		return time.FixedZone(name, offset)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return zone
}

// shows reports whether the wall clock at an instant stands within the hours, without margins.
func (p *plan) shows(at time.Time) bool {
	local := at.In(p.zone)
	if p.closed[dateOf(local)] {
		return false
	}
	minute := local.Hour()*60 + local.Minute()
	for _, iv := range p.hours[local.Weekday()] {
		if iv[0] <= minute && minute < iv[1] {
			return true
		}
	}
	yesterday := time.Date(local.Year(), local.Month(), local.Day()-1, 0, 0, 0, 0, time.UTC)
	if p.closed[dateOf(yesterday)] {
		return false
	}
	for _, iv := range p.hours[yesterday.Weekday()] {
		if minute+1440 < iv[1] {
			return true
		}
	}
	return false
}

// walk fills open. A minute is open when the clock shows open hours from the margin before it to the
// margin after it.
func (p *plan) walk() {
	total, row := planDays*1440, 0 // row counts the open minutes before
	for i := range total + p.after + p.before {
		row++
		if !p.shows(p.at(i - p.after)) {
			row = 0
		}
		if i >= p.after+p.before {
			p.open = append(p.open, row > p.after+p.before)
		}
	}
}

func (p *plan) at(minute int) time.Time { return p.start.Add(time.Duration(minute) * time.Minute) }

// next returns the first minute from one on that is open or not, as wanted; false when none is walked.
func (p *plan) next(minute int, open bool) (int, bool) {
	i := slices.Index(p.open[minute:], open)
	return minute + i, i >= 0
}

// check draws plans that can be parsed. Margins may leave nothing of a week: that is refused.
func check(t *testing.T, property func(t *rapid.T, p *plan, h calendar.Hours)) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		if len(p.config.Week) == 0 {
			p.config.Week = []calendar.Rule{{Days: "wed", Hours: "00:00-24:00"}}
			p.hours[time.Wednesday] = [][2]int{{0, 1440}}
		}
		h, err := calendar.Parse(p.config)
		if err != nil {
			if p.after+p.before == 0 || !strings.Contains(err.Error(), "leave no open time") {
				t.Fatalf("%+v: %v", p.config, err)
			}
			return
		}
		p.walk()
		property(t, p, h)
	})
}

func drawMinute(t *rapid.T) int { return rapid.IntRange(0, planDays*1440-1).Draw(t, "minute") }

func TestOpenIsWhatTheWallClockShows(t *testing.T) {
	check(t, func(t *rapid.T, p *plan, h calendar.Hours) {
		within := time.Duration(rapid.Int64Range(0, int64(time.Minute)-1).Draw(t, "within the minute"))
		step := rapid.IntRange(1, 30).Draw(t, "step")
		for i, want := range p.open {
			edge := i > 0 && p.open[i-1] != want || i+1 < len(p.open) && p.open[i+1] != want
			if at := p.at(i).Add(within); (edge || i%step == 0) && h.Open(at) != want {
				t.Fatalf("Open(%v) = %v", at.In(p.zone), !want)
			}
		}
	})
}

func TestNextOpeningIsTheFirstOpenInstant(t *testing.T) {
	check(t, func(t *rapid.T, p *plan, h calendar.Hours) {
		minute := drawMinute(t)
		got, ok := h.NextOpening(p.at(minute))
		if first, found := p.next(minute, true); found && !got.Equal(p.at(first)) || !found && ok && got.Before(p.at(len(p.open))) {
			t.Fatalf("NextOpening(%v) = %v, %v; walked: %v, %v", p.at(minute).In(p.zone), got.In(p.zone), ok, p.at(first).In(p.zone), found)
		}
		if !ok {
			t.Fatalf("never opens")
		}
		again, _ := h.NextOpening(got)
		if !h.Open(got) || !again.Equal(got) {
			t.Fatalf("the opening %v is closed, or has another opening %v", got, again)
		}
		later := p.at(minute + rapid.IntRange(0, 2000).Draw(t, "later"))
		if next, _ := h.NextOpening(later); next.Before(got) {
			t.Fatalf("asked later (%v), it opens earlier: %v, not %v", later, next, got)
		}
	})
}

func TestNextClosingIsTheFirstClosedInstant(t *testing.T) {
	check(t, func(t *rapid.T, p *plan, h calendar.Hours) {
		minute := drawMinute(t)
		got, ok := h.NextClosing(p.at(minute))
		if first, found := p.next(minute, false); found && !got.Equal(p.at(first)) || !found && ok && got.Before(p.at(len(p.open))) {
			t.Fatalf("NextClosing(%v) = %v, %v; walked: %v, %v", p.at(minute).In(p.zone), got.In(p.zone), ok, p.at(first).In(p.zone), found)
		}
		if again, _ := h.NextClosing(got); ok && (h.Open(got) || !again.Equal(got)) {
			t.Fatalf("the closing %v is open, or has another closing %v", got, again)
		}
	})
}

func TestOpenDurationCountsTheOpenMinutes(t *testing.T) {
	check(t, func(t *rapid.T, p *plan, h calendar.Hours) {
		from, to := drawMinute(t), drawMinute(t)
		if from > to {
			from, to = to, from
		}
		var want time.Duration
		for _, open := range p.open[from:to] {
			if open {
				want += time.Minute
			}
		}
		if got := h.OpenDuration(p.at(from), p.at(to)); got != want {
			t.Fatalf("OpenDuration(%v, %v) = %v, walked %v", p.at(from), p.at(to), got, want)
		}
		middle := p.at(from).Add(time.Duration(rapid.Int64Range(0, int64(p.at(to).Sub(p.at(from)))).Draw(t, "middle")))
		if got := h.OpenDuration(p.at(from), middle) + h.OpenDuration(middle, p.at(to)); got != want {
			t.Fatalf("cut at %v it is %v, not %v", middle, got, want)
		}
	})
}

func TestAddOpenIsTheInverseOfOpenDuration(t *testing.T) {
	check(t, func(t *rapid.T, p *plan, h calendar.Hours) {
		from := p.at(drawMinute(t))
		d := time.Duration(rapid.IntRange(0, 20*60).Draw(t, "minutes"))*time.Minute + time.Duration(rapid.IntRange(1, 99).Draw(t, "ns"))
		if rapid.Bool().Draw(t, "up to a closing") {
			if open := h.OpenDuration(from, p.at(len(p.open))); open > 0 {
				d = open
			}
		}
		got, ok := h.AddOpen(from, d)
		if !ok {
			if open := h.OpenDuration(from, from.Add(calendar.Horizon)); open >= d {
				t.Fatalf("AddOpen(%v, %v) is never, and %v are open", from, d, open)
			}
			return
		}
		if open := h.OpenDuration(from, got); open != d {
			t.Fatalf("AddOpen(%v, %v) = %v, after %v of open time", from, d, got, open)
		}
		if open := h.OpenDuration(from, got.Add(-1)); open != d-1 {
			t.Fatalf("AddOpen(%v, %v) = %v, which is not the first such instant", from, d, got)
		}
		if more, ok := h.AddOpen(from, d+1); ok && !more.After(got) {
			t.Fatalf("more open time ends at %v, not after %v", more, got)
		}
	})
}
