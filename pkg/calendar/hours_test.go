package calendar_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"payonce/pkg/calendar"
)

func parse(t testing.TB, c calendar.Config) calendar.Hours {
	t.Helper()
	hours, err := calendar.Parse(c)
	if err != nil {
		t.Fatal(err)
	}
	return hours
}

func at(t testing.TB, text string) time.Time {
	t.Helper()
	instant, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

// never stands for an answer of false.
const never = "never"

func wantTime(t *testing.T, what string, got time.Time, ok bool, want string) {
	t.Helper()
	if want == never {
		if ok || !got.IsZero() {
			t.Errorf("%s = %v, %v, want the zero time and false", what, got, ok)
		}
		return
	}
	if !ok || !got.Equal(at(t, want)) {
		t.Errorf("%s = %v, %v, want %s", what, got, ok, want)
	}
}

// The sentence of ECommPay's Korean banks page is "Monday – Friday from 8:00 to 23:59 (GMT+9)".
func TestECommPayKoreaOpensAsItsDocumentSays(t *testing.T) {
	hours := parse(t, calendar.ECommPayKorea())
	for _, c := range []struct{ at, opens, closes string }{
		{"2026-11-20T23:58:59.999999999+09:00", "2026-11-20T23:58:59.999999999+09:00", "2026-11-20T23:59:00+09:00"}, // Friday
		{"2026-11-20T23:59:00+09:00", "2026-11-23T08:00:00+09:00", "2026-11-20T23:59:00+09:00"},
		{"2026-11-21T12:00:00+09:00", "2026-11-23T08:00:00+09:00", "2026-11-21T12:00:00+09:00"},
		{"2026-11-22T22:59:59.999999999Z", "2026-11-22T23:00:00Z", "2026-11-22T22:59:59.999999999Z"}, // Monday in Seoul
		{"2026-11-22T23:00:00Z", "2026-11-22T23:00:00Z", "2026-11-23T14:59:00Z"},
		{"2026-11-23T23:59:30+09:00", "2026-11-24T08:00:00+09:00", "2026-11-23T23:59:30+09:00"},
	} {
		opens, ok := hours.NextOpening(at(t, c.at))
		wantTime(t, "NextOpening("+c.at+")", opens, ok, c.opens)
		closes, ok := hours.NextClosing(at(t, c.at))
		wantTime(t, "NextClosing("+c.at+")", closes, ok, c.closes)
		if open := hours.Open(at(t, c.at)); open != (c.at == c.opens) { // an opening at once
			t.Errorf("Open(%s) = %v", c.at, open)
		}
	}
	week := hours.OpenDuration(at(t, "2026-11-16T00:00:00+09:00"), at(t, "2026-11-23T00:00:00+09:00"))
	if want := 5 * (15*time.Hour + 59*time.Minute); week != want {
		t.Errorf("a week has %v of open time, want %v", week, want)
	}
	// A lookup that is due half an hour after Friday 23:40 is due on Monday.
	due, ok := hours.AddOpen(at(t, "2026-11-20T23:40:00+09:00"), 30*time.Minute)
	wantTime(t, "AddOpen", due, ok, "2026-11-23T08:11:00+09:00")
	due, ok = hours.AddOpen(at(t, "2026-11-20T23:40:00+09:00"), 19*time.Minute)
	wantTime(t, "AddOpen to the closing", due, ok, "2026-11-20T23:59:00+09:00")
	due, ok = hours.AddOpen(at(t, "2026-11-20T23:40:00+09:00"), calendar.Horizon)
	wantTime(t, "AddOpen too far", due, ok, never)
}

func TestAnswersAreInTheLocationOfTheQuestion(t *testing.T) {
	hours, asked := parse(t, calendar.ECommPayKorea()), at(t, "2026-11-21T12:00:00Z")
	opens, _ := hours.NextOpening(asked)
	closes, _ := hours.NextClosing(opens)
	due, _ := hours.AddOpen(asked, time.Minute)
	for _, got := range []time.Time{opens, closes, due} {
		if got.Location() != asked.Location() {
			t.Errorf("%v is in %v, want %v", got, got.Location(), asked.Location())
		}
	}
}

func TestZeroHoursAreAlwaysOpen(t *testing.T) {
	hours, now := parse(t, calendar.Config{}), at(t, "2026-11-21T12:00:00.5Z")
	later := now.Add(90 * time.Hour)
	if !hours.Open(now) {
		t.Error("closed")
	}
	opens, ok := hours.NextOpening(now)
	wantTime(t, "NextOpening", opens, ok, "2026-11-21T12:00:00.5Z")
	closes, ok := hours.NextClosing(now)
	wantTime(t, "NextClosing", closes, ok, never)
	if open := hours.OpenDuration(now, later); open != 90*time.Hour {
		t.Errorf("OpenDuration = %v", open)
	}
	due, ok := hours.AddOpen(now, 90*time.Hour)
	wantTime(t, "AddOpen", due, ok, "2026-11-25T06:00:00.5Z")
	due, ok = hours.AddOpen(now, calendar.Horizon)
	wantTime(t, "AddOpen(Horizon)", due, ok, now.Add(calendar.Horizon).Format(time.RFC3339Nano))
	due, ok = hours.AddOpen(now, calendar.Horizon+1)
	wantTime(t, "AddOpen(Horizon+1)", due, ok, never)
	if _, closed := hours.Closed(now); closed || hours.KnownFor(now) != math.MaxInt64 || hours.Warning(now) != "" {
		t.Error("hours without closed days must not warn")
	}
	if long := hours.OpenDuration(time.Time{}, now); long != math.MaxInt64 {
		t.Errorf("more than a Duration holds is counted as %v", long)
	}
}

// Some 960 years are open here; the sum must not run over.
func TestOpenDurationStopsAtTheLongestDuration(t *testing.T) {
	hours, from := parse(t, calendar.ECommPayKorea()), at(t, "0001-01-01T00:00:00Z")
	want := hours.OpenDuration(from, from.Add(math.MaxInt64))
	if got := hours.OpenDuration(from, at(t, "2026-01-01T00:00:00Z")); got != want || want <= 0 {
		t.Errorf("OpenDuration of 2025 years = %v, want that of the first 292: %v", got, want)
	}
}

func TestNegativeLengthsAreNothing(t *testing.T) {
	hours, now := parse(t, calendar.ECommPayKorea()), at(t, "2026-11-20T12:00:00+09:00")
	if open := hours.OpenDuration(now, now.Add(-time.Hour)); open != 0 {
		t.Errorf("OpenDuration backwards = %v", open)
	}
	for _, d := range []time.Duration{0, -time.Hour} {
		due, ok := hours.AddOpen(now, d)
		wantTime(t, "AddOpen", due, ok, "2026-11-20T12:00:00+09:00")
	}
}

func TestClosedDays(t *testing.T) {
	hours := parse(t, calendar.Config{
		Zone: "Asia/Seoul", Days: "mon-fri", Hours: "08:00-12:00, 22:00-02:00",
		Closed: []string{"2026-09-24 Chuseok eve", "2026-09-25"}, ClosedKnownUntil: "2026-12-31",
	})
	for _, c := range []struct{ at, opens string }{
		{"2026-09-23T23:59:59+09:00", "2026-09-23T23:59:59+09:00"}, // Wednesday night
		{"2026-09-24T00:00:00+09:00", "2026-09-28T08:00:00+09:00"}, // its end lies on a closed date
		{"2026-09-26T00:30:00+09:00", "2026-09-28T08:00:00+09:00"}, // would have begun on a closed date
		{"2026-10-03T00:30:00+09:00", "2026-10-03T00:30:00+09:00"}, // begun on an ordinary Friday
	} {
		opens, ok := hours.NextOpening(at(t, c.at))
		wantTime(t, "NextOpening("+c.at+")", opens, ok, c.opens)
	}
	for _, c := range []struct {
		at, name string
		closed   bool
	}{
		{"2026-09-23T14:59:59Z", "", false},
		{"2026-09-23T15:00:00Z", "Chuseok eve", true},
		{"2026-09-24T15:00:00Z", "", true},
		{"2026-09-25T15:00:00Z", "", false},
	} {
		if name, closed := hours.Closed(at(t, c.at)); name != c.name || closed != c.closed {
			t.Errorf("Closed(%s) = %q, %v", c.at, name, closed)
		}
	}
}

func TestMargins(t *testing.T) {
	hours := parse(t, calendar.Config{
		Zone: "+09:00", Days: "mon-wed", Hours: "00:00-24:00",
		MarginAfterOpening: 90 * time.Second, MarginBeforeClosing: 5 * time.Minute,
	})
	for _, c := range []struct{ at, opens, closes string }{
		{"2026-11-16T00:00:00+09:00", "2026-11-16T00:01:30+09:00", "2026-11-16T00:00:00+09:00"}, // Monday
		{"2026-11-16T00:01:30+09:00", "2026-11-16T00:01:30+09:00", "2026-11-18T23:55:00+09:00"}, // open
		{"2026-11-16T23:57:00+09:00", "2026-11-16T23:57:00+09:00", "2026-11-18T23:55:00+09:00"}, // no closing at this midnight
		{"2026-11-17T00:00:30+09:00", "2026-11-17T00:00:30+09:00", "2026-11-18T23:55:00+09:00"}, // and no opening
		{"2026-11-18T23:54:59.999999999+09:00", "2026-11-18T23:54:59.999999999+09:00", "2026-11-18T23:55:00+09:00"},
		{"2026-11-18T23:55:00+09:00", "2026-11-23T00:01:30+09:00", "2026-11-18T23:55:00+09:00"},
	} {
		opens, ok := hours.NextOpening(at(t, c.at))
		wantTime(t, "NextOpening("+c.at+")", opens, ok, c.opens)
		closes, ok := hours.NextClosing(at(t, c.at))
		wantTime(t, "NextClosing("+c.at+")", closes, ok, c.closes)
	}
}

// An interval that the margins leave nothing of does not open, and the next one does.
func TestIntervalShorterThanTheMargins(t *testing.T) {
	hours := parse(t, calendar.Config{
		Zone: "+00:00", Week: []calendar.Rule{{Days: "mon", Hours: "08:00-08:10"}, {Days: "tue", Hours: "08:00-08:11"}},
		MarginAfterOpening: 5 * time.Minute, MarginBeforeClosing: 5 * time.Minute,
	})
	opens, ok := hours.NextOpening(at(t, "2026-11-16T00:00:00Z"))
	wantTime(t, "NextOpening", opens, ok, "2026-11-17T08:05:00Z")
}

// Each case was worked out by hand from the change of the zone's clock.
func TestChangesOfTheClock(t *testing.T) {
	for _, c := range []struct {
		name, zone, hours, at, opens, closes string
		open                                 time.Duration // in the 24 h from at
	}{
		{"New York leaves out 02:00-03:00: the opening in the gap is its end", "America/New_York", "02:30-04:00",
			"2026-03-08T00:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00", time.Hour},
		{"New York: the closing in the gap is its begin", "America/New_York", "01:00-02:30",
			"2026-03-08T00:00:00-05:00", "2026-03-08T01:00:00-05:00", "2026-03-08T02:00:00-05:00", time.Hour},
		{"New York: hours in the gap do not happen", "America/New_York", "02:10-02:50",
			"2026-03-08T00:00:00-05:00", "2026-03-09T02:10:00-04:00", "2026-03-09T02:50:00-04:00", 0},
		{"New York shows 01:00-02:00 twice: open twice", "America/New_York", "01:00-01:30",
			"2026-11-01T01:40:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T01:30:00-05:00", 30 * time.Minute},
		{"New York: one opening over both", "America/New_York", "00:30-02:30",
			"2026-11-01T00:00:00-04:00", "2026-11-01T00:30:00-04:00", "2026-11-01T02:30:00-05:00", 3 * time.Hour},
		{"Berlin leaves out an hour of the night", "Europe/Berlin", "22:00-06:00",
			"2026-03-28T12:00:00+01:00", "2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00", 7 * time.Hour},
		{"Berlin shows an hour of the night twice", "Europe/Berlin", "22:00-06:00",
			"2026-10-24T12:00:00+02:00", "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00", 9 * time.Hour},
		{"Lord Howe leaves out half an hour", "Australia/Lord_Howe", "01:00-03:00",
			"2026-10-04T00:00:00+10:30", "2026-10-04T01:00:00+10:30", "2026-10-04T03:00:00+11:00", 90 * time.Minute},
		{"Lord Howe shows half an hour twice", "Australia/Lord_Howe", "01:45-01:50",
			"2026-04-05T01:55:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-05T01:50:00+10:30", 5 * time.Minute},
		{"Apia left out 2011-12-30", "Pacific/Apia", "08:00-09:00",
			"2011-12-29T10:00:00-10:00", "2011-12-31T08:00:00+14:00", "2011-12-31T09:00:00+14:00", time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			hours, from := parse(t, calendar.Config{Zone: c.zone, Days: "mon-sun", Hours: c.hours}), at(t, c.at)
			opens, ok := hours.NextOpening(from)
			wantTime(t, "NextOpening", opens, ok, c.opens)
			closes, ok := hours.NextClosing(opens)
			wantTime(t, "NextClosing", closes, ok, c.closes)
			if open := hours.OpenDuration(from, from.Add(24*time.Hour)); open != c.open {
				t.Errorf("OpenDuration of 24 h = %v, want %v", open, c.open)
			}
		})
	}
}

// An always open week goes on over changes of the clock without a closing, so margins take nothing off.
func TestNoClosingAtAChangeOfTheClock(t *testing.T) {
	hours := parse(t, calendar.Config{
		Zone: "America/New_York", Days: "mon-sun", Hours: "00:00-24:00",
		MarginAfterOpening: time.Hour, MarginBeforeClosing: time.Hour,
	})
	from := at(t, "2026-01-01T00:00:00Z")
	if open := hours.OpenDuration(from, from.Add(365*24*time.Hour)); open != 365*24*time.Hour {
		t.Errorf("OpenDuration of 365 days = %v", open)
	}
	closes, ok := hours.NextClosing(from)
	wantTime(t, "NextClosing", closes, ok, never)
	due, ok := hours.AddOpen(from, calendar.Horizon+1)
	wantTime(t, "AddOpen", due, ok, never)
}

// closedFrom lists so many closed days from a date on.
func closedFrom(first time.Time, days int) []string {
	var dates []string
	for i := range days {
		dates = append(dates, first.AddDate(0, 0, i).Format(time.DateOnly))
	}
	return dates
}

func TestTheHorizonIsExact(t *testing.T) {
	first := at(t, "2026-01-01T00:00:00Z")
	config := calendar.Config{Zone: "+00:00", Days: "mon-sun", Hours: "00:00-24:00", ClosedKnownUntil: "2028-01-01"}
	config.Closed = closedFrom(first, 400)
	hours := parse(t, config)
	opens, ok := hours.NextOpening(first)
	wantTime(t, "NextOpening at the horizon", opens, ok, "2027-02-05T00:00:00Z")
	opens, ok = hours.NextOpening(first.Add(-1))
	wantTime(t, "NextOpening just behind it", opens, ok, "2025-12-31T23:59:59.999999999Z")
	due, ok := hours.AddOpen(first, 1)
	wantTime(t, "AddOpen behind it", due, ok, never)

	opensLate := config
	opensLate.Hours = "08:00-09:00"
	opens, ok = parse(t, opensLate).NextOpening(first)
	wantTime(t, "NextOpening hours behind it", opens, ok, never)

	config.Closed = closedFrom(first, 401)
	opens, ok = parse(t, config).NextOpening(first)
	wantTime(t, "NextOpening behind the horizon", opens, ok, never)

	config.Closed = []string{"2027-02-05"} // 400 days later
	closes, ok := parse(t, config).NextClosing(first)
	wantTime(t, "NextClosing at the horizon", closes, ok, "2027-02-05T00:00:00Z")
	closes, ok = parse(t, config).NextClosing(first.Add(-1))
	wantTime(t, "NextClosing just behind it", closes, ok, never)
	config.MarginBeforeClosing = time.Minute
	closes, ok = parse(t, config).NextClosing(first.Add(-time.Minute))
	wantTime(t, "NextClosing at the horizon with a margin", closes, ok, "2027-02-04T23:59:00Z")
}

func TestTheWarningComesBeforeTheClosedDaysRunOut(t *testing.T) {
	config := calendar.ECommPayKorea()
	config.ClosedKnownUntil = "2026-12-31"
	hours, end := parse(t, config), at(t, "2027-01-01T00:00:00+09:00")
	for _, c := range []struct {
		left  time.Duration
		warns bool
	}{
		{calendar.WarnBefore, false}, {calendar.WarnBefore - 1, true}, {0, true}, {-48 * time.Hour, true},
	} {
		now := end.Add(-c.left)
		if known := hours.KnownFor(now); known != c.left {
			t.Errorf("KnownFor(%v) = %v, want %v", now, known, c.left)
		}
		if text := hours.Warning(now); strings.Contains(text, "until 2026-12-31 only") != c.warns || (text == "") == c.warns {
			t.Errorf("Warning(%v) = %q", now, text)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	hours, now := parse(b, calendar.ECommPayKorea()), at(b, "2026-11-20T12:00:00Z")
	b.ReportAllocs()
	for b.Loop() {
		hours.Open(now)
	}
}

func BenchmarkNextOpening(b *testing.B) {
	newYork := calendar.Config{Zone: "America/New_York", Days: "mon-fri", Hours: "08:00-23:59"}
	distant := calendar.ECommPayKorea()
	distant.Closed, distant.ClosedKnownUntil = closedFrom(at(b, "2026-11-21T00:00:00Z"), 390), "2027-12-31"
	for _, c := range []struct {
		name   string
		config calendar.Config
	}{{"weekend", calendar.ECommPayKorea()}, {"weekend with summer time", newYork}, {"390 closed days", distant}} {
		b.Run(c.name, func(b *testing.B) {
			hours, now := parse(b, c.config), at(b, "2026-11-21T12:00:00Z")
			b.ReportAllocs()
			for b.Loop() {
				hours.NextOpening(now)
			}
		})
	}
}

func BenchmarkAddOpen(b *testing.B) {
	hours, now := parse(b, calendar.ECommPayKorea()), at(b, "2026-11-20T12:00:00Z")
	b.ReportAllocs()
	for b.Loop() {
		hours.AddOpen(now, 48*time.Hour)
	}
}
