package calendar_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"payonce/pkg/calendar"
)

func TestParseReportsAllProblems(t *testing.T) {
	_, err := calendar.Parse(calendar.Config{
		Zone: "secret", Days: "mon",
		Week:   []calendar.Rule{{Days: "secret", Hours: "08:00-12:00"}, {Days: "mon", Hours: "secret"}},
		Closed: []string{"2026-09-24 x", "secret", "2026-09-24"}, ClosedKnownUntil: "secret",
		MarginAfterOpening: -1, MarginBeforeClosing: 12*time.Hour + 1,
	})
	want := []string{
		"zone: must be an IANA name", "week: excludes", "week[0].days: must be days", "week[1].hours: must be hours",
		"closed[1]: must be a date", "closed[2]: is in the list twice", "closed_known_until: must be a date",
		"margin_after_opening: must be between", "margin_before_closing: must be between",
	}
	if err == nil {
		t.Fatal("accepted")
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != len(want) {
		t.Fatalf("got %d problems, want %d:\n%v", len(got), len(want), err)
	}
	for i, line := range got {
		if !strings.HasPrefix(line, want[i]) || strings.Contains(line, "secret") {
			t.Errorf("problem %d is %q, want %q and no value", i, line, want[i])
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		config calendar.Config
		want   string
	}{
		{calendar.Config{MarginBeforeClosing: time.Minute}, "zone: is required\ndays: is required\nhours: is required"},
		{calendar.Config{Zone: "Local"}, `zone: must be an IANA name like "Asia/Seoul" or an offset like "+09:00"`},
		{calendar.Config{Zone: "Etc/GMT-9"}, "zone: has its sign reversed"},
		{calendar.Config{Zone: "GMT+9"}, "zone: must be an IANA name"},
		{calendar.Config{Zone: "+9"}, "zone: must be an offset"},
		{calendar.Config{Zone: "+14:01"}, "zone: must be an offset"},
		{calendar.Config{Zone: "-12:01"}, "zone: must be an offset"},
		{calendar.Config{Days: "mon-"}, "days: must be days"},
		{calendar.Config{Days: "Mon"}, "days: must be days"},
		{calendar.Config{Days: "mon,"}, "days: must be days"},
		{calendar.Config{Days: "mon-wed-fri"}, "days: must be days"},
		{calendar.Config{Days: "mon-wed, tue"}, "days: has a day twice"},
		{calendar.Config{Hours: "8:00-12:00"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00–12:00"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00-24:01"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00-23:59:60"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00-23:59:5"}, "hours: must be hours"},
		{calendar.Config{Hours: "8:00:00-12:00"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00:00.5-12:00"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00-24:00:00"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:60-12:00"}, "hours: must be hours"},
		{calendar.Config{Hours: "24:00-02:00"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00-12:00,"}, "hours: must be hours"},
		{calendar.Config{Hours: "08:00-08:00"}, "hours: has an interval that ends as it begins"},
		{calendar.Config{Days: "mon-fri", Hours: "08:00-12:00, 11:59-13:00"}, "hours: overlap"},
		{calendar.Config{Days: "sat-sun", Hours: "01:00-03:00, 22:00-01:01"}, "hours: overlap"},
		{calendar.Config{Week: []calendar.Rule{{Days: "sun-mon", Hours: "08:00-12:00"}, {Days: "mon", Hours: "10:00-11:00"}}}, "week[1].hours: overlap"},
		{calendar.Config{Week: []calendar.Rule{{Days: "mon", Hours: "00:00-12:00"}, {Days: "sun", Hours: "23:00-00:01"}}}, "week[1].hours: overlap"},
		{calendar.Config{Closed: []string{"2026-02-29"}}, "closed[0]: must be a date"},
		{calendar.Config{Closed: []string{"2026-02-28"}}, "closed_known_until: is required beside closed"},
		{calendar.Config{Zone: "+09:00", Days: "mon", Hours: "08:00-08:10", MarginAfterOpening: 6 * time.Minute, MarginBeforeClosing: 4 * time.Minute},
			"margin_before_closing: and margin_after_opening leave no open time"},
	} {
		hours, err := calendar.Parse(c.config)
		if err == nil || !strings.Contains("\n"+err.Error(), "\n"+c.want) {
			t.Errorf("Parse(%+v) = %v, want %q", c.config, err, c.want)
		}
		if !reflect.ValueOf(hours).IsZero() {
			t.Errorf("Parse(%+v) gave hours beside the error", c.config)
		}
	}
}

// Different ways to write the same week.
func TestParseAccepts(t *testing.T) {
	monday := at(t, "2026-11-16T00:00:00+09:00")
	for _, c := range []struct {
		config calendar.Config
		open   time.Duration // in the week
	}{
		{calendar.Config{Zone: "Asia/Seoul", Days: "mon-fri", Hours: "08:00-23:59"}, 5 * 959 * time.Minute},
		{calendar.Config{Zone: "-12:00", Days: "sat", Hours: "00:00-24:00"}, 24 * time.Hour},
		{calendar.Config{Zone: "+14:00", Days: "sat", Hours: "00:00-24:00"}, 24 * time.Hour},
		{calendar.Config{Zone: "UTC", Days: "fri-mon", Hours: "01:00-02:00"}, 4 * time.Hour},
		{calendar.Config{Zone: "UTC", Days: "mon-wed, sun,fri", Hours: "08:00-12:00, 12:00-13:00,22:00-00:00"}, 35 * time.Hour},
		{calendar.Config{Zone: "UTC", Days: "mon", Hours: "08:00:15-08:01, 09:00-09:00:01"}, 46 * time.Second},
		{calendar.Config{Zone: "UTC", Days: "mon-sun", Hours: "22:00-21:59"}, 7 * (24*time.Hour - time.Minute)},
		{calendar.Config{Zone: "UTC", Week: []calendar.Rule{{Days: "mon", Hours: "08:00-09:00"}, {Days: "mon-tue", Hours: "10:00-12:00"}}}, 5 * time.Hour},
	} {
		hours := parse(t, c.config)
		if open := hours.OpenDuration(monday, monday.AddDate(0, 0, 7)); open != c.open {
			t.Errorf("%+v: %v in a week, want %v", c.config, open, c.open)
		}
	}
}

// Closed days alone never make a configuration wrong, wherever they lie.
func TestParseAcceptsAnyNumberOfClosedDays(t *testing.T) {
	config := calendar.ECommPayKorea()
	config.Closed, config.ClosedKnownUntil = closedFrom(time.Unix(0, 0).UTC(), 500), "1971-12-31"
	parse(t, config)
}

func FuzzParse(f *testing.F) {
	f.Add("Asia/Seoul", "mon-fri", "08:00-23:59", "", "", "2026-09-25 Chuseok", "2026-12-31", int64(time.Minute), int64(0), int64(1_790_000_000))
	f.Add("America/New_York", "", "", "mon-thu, sat", "22:00-02:00, 08:00-24:00", "", "", int64(0), int64(time.Hour), int64(1_772_953_200))
	f.Add("+09:00", "sun", "00:00-24:00", "", "", "", "", int64(-1), int64(0), int64(-1))
	f.Fuzz(func(t *testing.T, zone, days, hours, ruleDays, ruleHours, closed, known string, after, before, unix int64) {
		c := calendar.Config{
			Zone: zone, Days: days, Hours: hours, ClosedKnownUntil: known,
			MarginAfterOpening: time.Duration(after), MarginBeforeClosing: time.Duration(before),
		}
		if ruleDays != "" || ruleHours != "" {
			c.Week = []calendar.Rule{{Days: ruleDays, Hours: ruleHours}}
		}
		if closed != "" {
			c.Closed = strings.Split(closed, "\n")
		}
		h, err := calendar.Parse(c)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if key, text, found := strings.Cut(line, ": "); !found || key == "" || text == "" {
					t.Errorf("a problem without its key: %q", line)
				}
			}
			return
		}
		now := time.Unix(unix%(1<<33), 0)
		h.KnownFor(now)
		opens, ok := h.NextOpening(now)
		if !ok {
			if len(c.Closed) == 0 {
				t.Error("never opens, and no days are closed")
			}
			return
		}
		if opens.Before(now) || !h.Open(opens) || h.OpenDuration(now, opens) != 0 {
			t.Errorf("NextOpening(%v) = %v, which is not the first open instant", now, opens)
		}
		if closes, ok := h.NextClosing(opens); ok && (!closes.After(opens) || h.Open(closes) || h.OpenDuration(opens, closes) != closes.Sub(opens)) {
			t.Errorf("NextClosing(%v) = %v, which is not the first closed instant", opens, closes)
		}
	})
}
