package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"payonce/pkg/calendar"
	"payonce/pkg/config"
	"payonce/pkg/connectors"
	"payonce/pkg/payment"
)

// office is a kind that has hours of its own.
type office struct{ connectors.Connector }

func (office) Traits() connectors.Traits {
	return connectors.Traits{Kind: "office", SettlingDelay: time.Hour, Hours: calendar.Config{
		Zone: "+09:00", Days: "mon-fri", Hours: "08:00-23:59", MarginBeforeClosing: time.Minute,
	}}
}

var withOffice = append(slices.Clone(kinds), connectors.Kind{
	Name: "office", New: func(string, func(any) error, func() time.Time) (connectors.Connector, error) { return office{}, nil },
})

var kst = time.FixedZone("KST", 9*3600)

func TestHoursInEffect(t *testing.T) {
	noon, late := time.Date(2026, 11, 20, 12, 0, 0, 0, kst), time.Date(2026, 11, 20, 23, 58, 0, 0, kst) // a Friday
	night := late.Add(time.Hour)
	for name, c := range map[string]struct {
		kind, hours       string
		noon, late, night bool
	}{
		"nothing said":        {"acme", "{}", true, true, true},
		"as the kind says":    {"office", "{}", true, false, false},
		"an empty section":    {"office", "", true, false, false},
		"always open":         {"office", "{always_open: true}", true, true, true},
		"own hours":           {"office", "{zone: Asia/Seoul, days: fri, hours: 13:00-24:00}", false, true, false},
		"own week":            {"acme", "{zone: UTC, week: [{days: fri, hours: 00:00-03:01}, {days: mon, hours: 09:00-12:00}]}", true, false, false},
		"the kind's, less":    {"office", "{closed: [2026-11-20 Foundation], closed_known_until: 2026-12-31}", false, false, false},
		"the kind's, shorter": {"office", "{margin_before_closing: 12h}", false, false, false},
		"the kind's, longer":  {"office", "{margin_before_closing: 30s}", true, true, false},
	} {
		loaded := load(t, "providers:\n  one:\n    kind: "+c.kind+"\n    settings: {merchant: m}\n    hours: "+c.hours+"\n", nil, nil)
		if _, err := loaded.Connectors(withOffice, time.Now); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		is := loaded.Providers["one"].Hours.Calendar(payment.Payout)
		if is.Open(noon) != c.noon || is.Open(late) != c.late || is.Open(night) != c.night {
			t.Errorf("%s: open at noon %v, late %v, at night %v", name, is.Open(noon), is.Open(late), is.Open(night))
		}
	}
}

// shop is a kind with hours and with margins by operation.
type shop struct{ connectors.Connector }

func (shop) Traits() connectors.Traits {
	return connectors.Traits{Kind: "shop", SettlingDelay: time.Hour, ThresholdInWallClock: true,
		Hours:               calendar.Config{Zone: "+09:00", Days: "mon-fri", Hours: "08:00-23:59"},
		MarginBeforeClosing: map[payment.Operation]time.Duration{payment.Payout: 10 * time.Minute}}
}

var withShop = append(slices.Clone(withOffice), connectors.Kind{
	Name: "shop", New: func(string, func(any) error, func() time.Time) (connectors.Connector, error) { return shop{}, nil },
})

// TestMarginsByOperation: the kind's margins go with all hours that close, and the file's stand in their place.
func TestMarginsByOperation(t *testing.T) {
	friday := func(hour, minute int) time.Time { return time.Date(2026, 11, 20, hour, minute, 0, 0, kst) }
	for name, c := range map[string]struct {
		kind, hours     string
		deposit, payout time.Time // when it closes
	}{
		"as the kind says":          {"shop", "{}", friday(23, 59), friday(23, 49)},
		"own hours":                 {"shop", "{zone: '+09:00', days: mon-fri, hours: 09:00-18:00}", friday(18, 0), friday(17, 50)},
		"one for both":              {"shop", "{margin_before_closing: 1h}", friday(22, 59), friday(22, 59)},
		"none for both":             {"shop", "{margin_before_closing: 0s}", friday(23, 59), friday(23, 59)},
		"one for payouts":           {"shop", "{margin_before_closing: {payout: 30m}}", friday(23, 59), friday(23, 29)},
		"none for payouts":          {"shop", "{margin_before_closing: {payout: 0s}}", friday(23, 59), friday(23, 59)},
		"one for deposits":          {"shop", "{margin_before_closing: {deposit: 5m}}", friday(23, 54), friday(23, 49)},
		"a kind without operations": {"office", "{}", friday(23, 58), friday(23, 58)},
		"and one for its deposits":  {"office", "{margin_before_closing: {deposit: 0s}}", friday(23, 59), friday(23, 58)},
	} {
		loaded := load(t, "providers: {one: {kind: "+c.kind+", hours: "+c.hours+"}}\n", nil, nil)
		if _, err := loaded.Connectors(withShop, time.Now); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for op, want := range map[payment.Operation]time.Time{payment.Deposit: c.deposit, payment.Payout: c.payout} {
			if at, closes := loaded.Providers["one"].Hours.Calendar(op).NextClosing(friday(12, 0)); !closes || !at.Equal(want) {
				t.Errorf("%s: a %s closes %v, want %v", name, op, at, want)
			}
		}
	}
	open := load(t, "providers: {one: {kind: shop, hours: {always_open: true}}}\n", nil, nil)
	if _, err := open.Connectors(withShop, time.Now); err != nil {
		t.Fatal(err)
	}
	if _, closes := open.Providers["one"].Hours.Calendar(payment.Payout).NextClosing(friday(12, 0)); closes {
		t.Error("what is always open closes")
	}
	for _, hours := range []string{"{always_open: true, margin_before_closing: 1m}", "{margin_before_closing: {payout: 13h}}", "{margin_before_closing: {refund: 1m}}", "{margin_before_closing: [1m]}", "{margin_before_closing: {payout: -1m}}"} {
		loaded, err := config.Load(testFile, fake("providers: {one: {kind: shop, hours: "+hours+"}}\n", nil, nil))
		if err == nil {
			_, err = loaded.Connectors(withShop, time.Now)
		}
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "providers.one.hours") {
			t.Errorf("%s: got %v", hours, err)
		}
	}
}

// TestThresholdClock: the kind says how its threshold counts, and the file can say otherwise.
func TestThresholdClock(t *testing.T) {
	for _, c := range []struct{ kind, key, want string }{
		{"shop", "", "wall"}, {"office", "", "open"}, {"shop", ", threshold_clock: open", "open"}, {"office", ", threshold_clock: wall", "wall"},
	} {
		loaded := load(t, "providers: {one: {kind: "+c.kind+c.key+"}}\n", nil, nil)
		if _, err := loaded.Connectors(withShop, time.Now); err != nil || loaded.Providers["one"].ThresholdClock != c.want {
			t.Errorf("%s%s: got %q, %v", c.kind, c.key, loaded.Providers["one"].ThresholdClock, err)
		}
	}
	if _, err := config.Load(testFile, fake("providers: {one: {kind: shop, threshold_clock: both}}\n", nil, nil)); err == nil || !strings.Contains(err.Error(), "providers.one.threshold_clock: must be one of wall, open") {
		t.Errorf("got %v", err)
	}
}

func TestWhenClosed(t *testing.T) {
	if (config.WhenClosed{}).For(payment.Deposit) != config.Park || (config.WhenClosed{}).For(payment.Payout) != config.Park {
		t.Error("the default is not to park")
	}
	w := config.WhenClosed{Deposit: config.Reject, Payout: config.Send}
	if w.For(payment.Deposit) != config.Reject || w.For(payment.Payout) != config.Send {
		t.Error("the operations are mixed up")
	}
	c := load(t, "providers: {one: {kind: office, hours: {when_closed: {deposit: reject}}}}\n", nil, nil)
	if _, err := c.Connectors(withOffice, time.Now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`zone: "+09:00"`, `hours: "08:00-23:59"`, `deposit: "reject"`, `payout: "park"`} {
		if !strings.Contains(c.Summary(), want) {
			t.Errorf("the summary lacks %s", want)
		}
	}
}

func TestProblemsOfHours(t *testing.T) {
	for name, c := range map[string]struct{ hours, want string }{
		"unknown policy": {"{\n      when_closed: {deposit: wait}}", "5: providers.one.hours.when_closed.deposit: must be one of park, reject, send"},
		"unknown key":    {"{\n      when_closed: {refund: park}}", "5: providers.one.hours.when_closed.refund: is not a known key; known are deposit, payout"},
		"open and hours": {"{zone: UTC,\n      always_open: true}", "5: providers.one.hours.always_open: excludes hours: set one of them"},
		"no such zone":   {"{days: mon, hours: 08:00-12:00,\n      zone: hunter2}", `5: providers.one.hours.zone: must be an IANA name like "Asia/Seoul" or an offset like "+09:00"`},
		"no days":        {"{zone: UTC,\n      hours: 08:00-12:00}", "4: providers.one.hours.days: is required"},
		"a week's rule":  {"{zone: UTC, week: [{days: mon, hours: 08:00-12:00},\n      {days: tue, hours: hunter2}]}", `5: providers.one.hours.week[1].hours: must be hours like "08:00-23:59" or "09:00-12:00, 22:00-02:00"`},
		"closed days":    {"{\n      closed: [2026-12-25]}", "4: providers.one.hours.closed_known_until: is required beside closed, so that there is a warning before the list runs out"},
		"a closed day":   {"{closed_known_until: 2026-12-31, closed: [2026-12-25,\n      2026-12-25]}", "5: providers.one.hours.closed[1]: is in the list twice"},
		"a margin":       {"{\n      margin_before_closing: 13h}", "5: providers.one.hours.margin_before_closing: must be between 0 and 12h"},
		"a length":       {"{\n      margin_before_closing: soon}", "5: providers.one.hours.margin_before_closing: must be a duration like 20s, 5m, 1h30m or 90d"},
	} {
		yaml := "providers:\n  one:\n    kind: office\n    hours: " + c.hours + "\n"
		loaded, err := config.Load(testFile, fake(yaml, nil, nil))
		if err == nil {
			_, err = loaded.Connectors(withOffice, time.Now)
		}
		if err == nil || err.Error() != testFile+":"+c.want {
			t.Errorf("%s: got  %v\nwant %s", name, err, c.want)
		}
	}
}

func TestClosedDaysThatRunOutAreWarnedOf(t *testing.T) {
	for months, want := range map[int]int{0: 1, 3: 0} {
		known := time.Now().AddDate(0, months, 1).Format(time.DateOnly)
		c := load(t, "providers: {one: {kind: office, hours: {closed: ["+known+"], closed_known_until: "+known+"}}}\n", nil, nil)
		if _, err := c.Connectors(withOffice, time.Now); err != nil {
			t.Fatal(err)
		}
		if got := c.Warnings(); len(got) != want || want == 1 && !strings.HasPrefix(got[0], "providers.one.hours: closed days are listed until "+known) {
			t.Errorf("known for %d months: %q", months, got)
		}
	}
}
